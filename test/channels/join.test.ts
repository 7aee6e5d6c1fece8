import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { StoreUnavailable } from '../../src/store/store.js'
import { channel, start, TestSubscriber } from './broker-fixture.js'

/** Joining and recovery. */

t.test('withholds publications between join and release without losing them', async t => {
  const { store, publish, subscriber, channels } = start()
  const first = await subscriber()
  await publish()
  store.deliverAll()
  const a = new TestSubscriber()
  t.same(await a.join(channels), { position: store.topOf(channel), recovered: false, publications: [] })
  await publish()
  store.deliverAll()
  t.same(a.received, [])
  channels.release(a, channel)
  t.same(a.received, [2])
  t.same(first.received, [1, 2])
})

t.test('does not lose a publication while the stream opens', async t => {
  const { store, publish, channels } = start()
  const a = new TestSubscriber()
  const joining = a.join(channels)
  await publish()
  await Promise.resolve()
  store.listened.add(channel)
  await publish()
  await publish()
  store.notifications = store.notifications.reverse()
  store.deliverAll()
  const { position } = await joining
  channels.release(a, channel)
  await publish()
  store.deliverAll()
  await setImmediate()
  t.same(
    [position.offset, ...a.received],
    Array.from({ length: 5 - position.offset }, (_, i) => position.offset + i)
  )
})

t.test('recovers everything or nothing', async t => {
  const { store, publish, subscriber, channels } = start({ recover: 4, historyCount: 2 }, 6)
  const { epoch } = store.topOf(channel)
  for (let i = 0; i < 10; i++) await publish()
  const recover = async (offset: number, of = epoch) => {
    const joined = await new TestSubscriber().join(channels, { offset, epoch: of })
    t.equal(joined.position.offset, 10)
    return joined.recovered ? joined.publications.map(each => each.offset) : false
  }
  t.same(await recover(10), [], 'nothing was missed')
  t.same(await recover(8), [9, 10])
  t.same(await recover(6), [7, 8, 9, 10])
  t.equal(await recover(5), false, 'more than a recovery replays')
  t.equal(await recover(3), false, 'older than the history')
  t.equal(await recover(11), false, 'a position above the top')
  t.equal(await recover(10, 'other'), false)
  const a = await subscriber({ offset: 9, epoch })
  await publish()
  store.deliverAll()
  t.same(a.received, [11])
})

t.test('limits a recovery in bytes', async t => {
  const { store, channels } = start({ recoverBytes: 10 })
  const { epoch } = store.topOf(channel)
  await store.publish(channel, '"12345678"')
  t.match(await new TestSubscriber().join(channels, { offset: 0, epoch }), { recovered: true })
  await store.publish(channel, '1')
  t.match(await new TestSubscriber().join(channels, { offset: 0, epoch }), { recovered: false })
})

t.test('an impossible recovery does not affect other subscribers', async t => {
  const { store, publish, subscriber, channels } = start({ historyCount: 1 }, 2)
  const a = await subscriber()
  for (let i = 0; i < 4; i++) {
    await publish()
    store.deliverAll()
  }
  await publish()
  const b = new TestSubscriber()
  t.match(await b.join(channels, { ...store.topOf(channel), offset: 1 }), { recovered: false })
  t.same(a.received, [1, 2, 3, 4, 5], 'the join repaired the gap for all')
})

t.test('without a store a join fails and subscribers stay joined', async t => {
  const { store, publish, subscriber, channels, pass } = start()
  const a = await subscriber()
  await publish()
  store.notifications = []
  store.isAway = true
  await t.rejects(new TestSubscriber().join(channels), StoreUnavailable)
  await pass(40_000)
  await pass(1000)
  t.same(a.received, [], 'nobody is lost')
  store.isAway = false
  await pass(1000)
  t.same(a.received, [1])
})

t.test('batches joins, and keeps unused streams for a while', async t => {
  const { store, channels, pass } = start()
  const all = Array.from({ length: 1000 }, () => new TestSubscriber())
  await Promise.all(all.map((each, i) => each.join(channels, undefined, `c${i % 100}`)))
  t.match(store.calls, { listen: 1, tops: 1, read: 0 })
  for (const [i, each] of all.entries()) t.ok(channels.leave(each, `c${i % 100}`))
  t.notOk(channels.leave(new TestSubscriber(), 'c0'))
  await pass(59_999)
  t.equal(store.listened.size, 100)
  await pass(2)
  t.equal(store.listened.size, 0)
  t.equal(store.calls.unlisten, 1)
})
