import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import { type RedisServer, startRedis } from '../helper/redis-server.js'

/** Sentinels that are there, and of no use. */

t.test('bug: a sentinel that accepts connections without answering blocked the start for ever', async t => {
  const primary = await startRedis()
  const portOf = ({ url }: RedisServer) => new URL(url).port
  const startSentinel = () =>
    startRedis(['--sentinel'], dir => {
      const path = join(dir, 'sentinel.conf')
      writeFileSync(path, `sentinel monitor main 127.0.0.1 ${portOf(primary)} 1\n`)
      return path
    })
  const [paused, working] = await Promise.all([startSentinel(), startSentinel()])
  t.teardown(() => Promise.all([primary.stop(), paused.stop(), working.stop()]))
  const printed = t.capture(console, 'error')
  process.kill(paused.pid, 'SIGSTOP')
  const url = `redis+sentinel://127.0.0.1:${portOf(paused)},127.0.0.1:${portOf(working)}/main`
  const store = await openRedisStore(url, { connectWithinMs: 20_000 })
  t.teardown(() => store.close())
  await store.ping()
  t.same(printed(), [], 'the library prints nothing by itself')
})
