import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { HistoryBounds } from '../../src/store/channels.js'
import { createEmbeddedChannels } from '../../src/store/embedded/channels.js'
import { channelOverheadBytes, historyOverheadBytes, publicationBytes } from '../../src/store/memory-cost.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import { StoreUnavailable } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { redisUrl } from '../helper/stores.js'
import { type ChannelsUnderTest, lapseKeys, publish, record } from './channel-helpers.js'
import { channelLivesSuite } from './channel-lives.suite.js'
import { channelPagesSuite } from './channel-pages.suite.js'
import { channelsSuite } from './channels.suite.js'

t.test('embedded', t => {
  const open = async (_t: Test, history?: HistoryBounds): Promise<ChannelsUnderTest> => {
    const clock = createClock()
    const channels = createEmbeddedChannels(clock.now, history === undefined ? {} : { history })
    return { channels, another: async () => channels, lapse: async ms => clock.advance(ms) }
  }
  channelsSuite(t, open)
  channelLivesSuite(t, open)
  channelPagesSuite(t, open)
  t.end()
})

t.test('redis', t => {
  const openRedis = async (t: Test, history?: HistoryBounds): Promise<ChannelsUnderTest> => {
    const prefix = `channels-${randomBytes(6).toString('hex')}`
    const admin = new Redis(redisUrl())
    t.teardown(() => admin.disconnect())
    const open = async () => {
      const store = await openRedisStore(redisUrl(), { prefix, ...(history === undefined ? {} : { history }) })
      t.teardown(() => store.close())
      return store.channels
    }
    return { channels: await open(), another: open, lapse: ms => lapseKeys([admin], prefix, ms) }
  }
  channelsSuite(t, openRedis)
  channelLivesSuite(t, openRedis)
  channelPagesSuite(t, openRedis)
  t.end()
})

t.test('embedded: notifies before it answers, and delivers publications of a listener afterwards', async t => {
  const channels = createEmbeddedChannels(Date.now)
  const heard: string[] = []
  channels.onPublication({
    publication(channel, _epoch, { data }) {
      heard.push(`${data} begins`)
      if (data === '1') channels.publish(channel, '2', { publishedAt: 1, idempotencyKey: '' })
      heard.push(`${data} ends`)
    },
    mayHaveMissed() {}
  })
  await channels.listen(['a'])
  const answer = publish(channels, 'a', '1')
  t.same(heard, ['1 begins', '1 ends', '2 begins', '2 ends'])
  await answer
})

t.test('embedded: bounds the channels, and drops those that are listened to last', async t => {
  const channels = createEmbeddedChannels(Date.now, { channels: 3 })
  await channels.listen(['followed'])
  const followed = await publish(channels, 'followed', '1')
  const [a, b] = await channels.tops(['a', 'b'])
  await channels.read('a', undefined, 0)
  await channels.tops(['c'])
  t.same(await channels.tops(['followed', 'a']), [{ offset: 1, epoch: followed.epoch }, a])
  const [again] = await channels.tops(['b'])
  t.equal(again?.offset, 0)
  t.not(again?.epoch, b?.epoch, 'a dropped channel comes back with a new epoch')
  await channels.listen(['x', 'y', 'z'])
  await channels.tops(['x', 'y', 'z'])
  const [last] = await channels.tops(['followed'])
  t.not(last?.epoch, followed.epoch, 'the bound holds even if all are listened to')
})

t.test('embedded: bounds the measured bytes of each channel and of all together', async t => {
  const one = publicationBytes('x'.repeat(10))
  const channels = createEmbeddedChannels(Date.now, {
    channelBytes: 2 * one,
    totalBytes: 3 * (one + channelOverheadBytes + historyOverheadBytes)
  })
  const { epoch } = await publish(channels, 'a', '1xxxxxxxxx')
  await publish(channels, 'a', '2xxxxxxxxx')
  await publish(channels, 'a', '3xxxxxxxxx')
  t.equal((await channels.read('a', { offset: 0, epoch }, 9)).publications, undefined)
  t.equal((await channels.read('a', { offset: 1, epoch }, 9)).publications?.length, 2)
  await publish(channels, 'a', 'larger than all'.repeat(20))
  t.same(
    (await channels.read('a', { offset: 4, epoch }, 9)).publications,
    [],
    'a publication above the bound is not kept'
  )
  t.equal((await channels.read('a', { offset: 3, epoch }, 9)).publications, undefined)
  await publish(channels, 'a', '1234567890')
  for (const name of ['b', 'c']) await publish(channels, name, '1234567890')
  const before = channels.bounds().find(({ name }) => name === 'history_bytes')
  t.ok(before !== undefined && before.used <= before.limit)
  t.equal(await channels.exists('a'), false, 'the least recently used was dropped')
  const [b, c] = await channels.tops(['b', 'c'])
  t.equal(b?.offset, 1)
  t.equal(c?.offset, 1)
})

t.test('embedded: bounds the results of idempotency keys without repeating a publication', async t => {
  const clock = createClock()
  const channels = createEmbeddedChannels(clock.now, { idempotencyResults: 2 })
  await publish(channels, 'a', '1', 'k1')
  await publish(channels, 'a', '2', 'k2')
  await t.rejects(publish(channels, 'a', '3', 'k3'), StoreUnavailable)
  t.match(await publish(channels, 'a', '1', 'k1'), { offset: 1, duplicate: true })
  t.match(await publish(channels, 'a', '3'), { offset: 3 }, 'without a key it is published')
  clock.advance(300_000)
  t.match(await publish(channels, 'a', '4', 'k3'), { offset: 4, duplicate: false })
})

t.test('embedded: a reopened store has new epochs', async t => {
  const first = await publish(createEmbeddedChannels(Date.now), 'a', '1')
  const second = createEmbeddedChannels(Date.now)
  record(second)
  const { top, publications } = await second.read('a', first, 9)
  t.equal(publications, undefined)
  t.equal(top.offset, 0)
})
