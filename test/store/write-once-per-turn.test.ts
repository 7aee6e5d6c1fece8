import { Redis } from 'ioredis'
import t from 'tap'
import { writeOncePerTurn } from '../../src/store/redis/write-once-per-turn.js'
import { redisUrl } from '../helper/stores.js'

t.test('sends the commands of a turn in one write, and those of a long turn in several', async t => {
  const redis = writeOncePerTurn(new Redis(redisUrl()))
  t.teardown(() => redis.disconnect())
  await redis.ping()
  const writes: number[] = []
  const { stream } = redis
  // Called by Node for each of its own writes.
  const { _write, _writev } = stream
  stream._write = (...args) => {
    writes.push(1)
    return _write.apply(stream, args)
  }
  stream._writev = (chunks, callback) => {
    writes.push(chunks.length)
    return _writev?.call(stream, chunks, callback)
  }
  const pings = (count: number) => Promise.all(Array.from({ length: count }, () => redis.ping()))
  await pings(10)
  t.same(writes.splice(0), [10])
  await pings(150)
  t.same(writes.splice(0), [64, 64, 22])
  await Promise.all(Array.from({ length: 3 }, () => redis.echo('x'.repeat(70_000))))
  t.same(writes.splice(0), [1, 1, 1])
  await redis.ping()
  t.same(writes.splice(0), [1], 'a command alone is not delayed beyond its turn')
})
