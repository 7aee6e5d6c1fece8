import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import t from 'tap'
import type { Dropped } from '../../src/store/channels.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import { encodeOwners, parseHead } from '../../src/store/redis/owners-suffix.js'
import { redisUrl } from '../helper/stores.js'
import { until } from '../helper/until.js'

/** Owners of publications in Redis, beside gateways of earlier versions, which know none. */

const longest = `${'z'.repeat(64)},tickets:tok_${'f'.repeat(32)}`

/** As version 0.1 read an entry. */
function readEarlier(entry: string) {
  const end = entry.indexOf(':')
  return { data: entry.slice(end + 1), publishedAt: Number(entry.slice(0, end)) }
}

t.test('owners do not change the time that earlier versions read', async t => {
  for (const owners of ['', 'a', '~~~~', longest]) {
    for (const publishedAt of [1_700_000_000_123, 1_764_000_000_999, 2_100_000_000_001]) {
      const head = publishedAt + encodeOwners(owners)
      t.same(parseHead(head), { publishedAt, owners })
      t.equal(Number(head), publishedAt)
    }
  }
})

t.test('both versions read and drop data of the other', async t => {
  const prefix = `test-${randomBytes(6).toString('hex')}`
  const redis = new Redis(redisUrl())
  const earlier = new Redis(redisUrl())
  await earlier.subscribe(`${prefix}:words:i_old`)
  await redis.set(`${prefix}:instance:i_old`, '2 a m')
  const { channels, close } = await openRedisStore(redisUrl(), { prefix, history: { size: 3, lifeMs: 300_000 } })
  t.teardown(async () => {
    redis.disconnect()
    earlier.disconnect()
    await close()
  })
  const drops: Dropped[] = []
  channels.onDrop(dropped => void drops.push(dropped))
  const key = `${prefix}:channel:{a}`
  const at = 1_700_000_000_000
  const publish = (data: string, owners: string) =>
    channels.publish('a', data, { publishedAt: at, idempotencyKey: '', owners })
  // Beside an earlier version a publication comes in two forms.
  const heard = new Map<number, unknown>()
  channels.onPublication({
    publication: (_name, _epoch, publication) => void heard.set(publication.offset, publication),
    mayHaveMissed() {}
  })
  await channels.listen(['a'])
  const first = await publish('"1"', longest)
  if (first === 'conflict') throw new Error('conflict')
  const { epoch } = first
  t.same((await redis.lrange(`${key}@history`, 0, -1)).map(readEarlier), [{ data: '"1"', publishedAt: at }])

  // Publishes like an earlier version.
  await redis.rpush(`${key}@history`, `${at}:"2"`)
  await redis.hincrby(key, 'offset', 1)
  await redis.hincrby(key, 'bytes', 3 + 24)
  await redis.publish(key, `2:${at}:${epoch}:"2"`)
  await publish('"3"', 'b')
  const expected = [
    { offset: 1, data: '"1"', publishedAt: at, owners: longest },
    { offset: 2, data: '"2"', publishedAt: at },
    { offset: 3, data: '"3"', publishedAt: at, owners: 'b' }
  ]
  t.same((await channels.read('a', { offset: 0, epoch }, 9)).publications, expected)
  await until('all were received', () => heard.size === 3)
  t.same([...heard.values()], expected)
  const bytes = Number(await redis.hget(key, 'bytes'))
  t.equal(bytes, channels.bytesOf('"1"', longest) + channels.bytesOf('"2"') + channels.bytesOf('"3"', 'b'))
  await publish('"4"', 'b')
  await publish('"5"', 'b')
  t.same(
    drops.map(({ owners }) => owners),
    [longest, '']
  )
})
