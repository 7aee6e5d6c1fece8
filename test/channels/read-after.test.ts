import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { channel, start } from './broker-fixture.js'

/** Sessions that fetch publications. */

t.test('confirms a top only while it is certain', async t => {
  const { store, channels, publish, subscriber } = start()
  t.equal(channels.isTop(channel, store.topOf(channel)), false, 'a channel without a stream')
  await subscriber()
  const begin = store.topOf(channel)
  t.equal(channels.isTop(channel, begin), true)
  t.equal(channels.isTop(channel, { ...begin, epoch: 'another' }), false)
  await publish()
  store.deliverAll()
  t.equal(channels.isTop(channel, begin), false, 'a newer publication')
  const second = store.topOf(channel)
  t.equal(channels.isTop(channel, second), true)
  await publish()
  await publish()
  store.notifications.shift()
  store.readGate = new Promise(() => {})
  store.deliverAll()
  t.equal(channels.isTop(channel, second), false, 'a gap is being repaired')
})

t.test('confirms no top while it is not receiving', async t => {
  const { store, channels, subscriber } = start()
  await subscriber()
  store.isReceiving = false
  t.equal(channels.isTop(channel, store.topOf(channel)), false)
})

t.test('answers from memory, and notifies watchers of new publications', async t => {
  const { store, publish, channels, pass } = start()
  const top = store.topOf(channel)
  t.same(await channels.readAfter(channel, top, 10), { top, publications: [] })
  let calls = 0
  const unwatch = channels.watch(channel, top, () => void calls++)
  await setImmediate()
  t.equal(calls, 0)
  await publish()
  store.deliverAll()
  t.equal(calls, 1)
  const reads = store.calls.read + store.calls.tops
  t.match(await channels.readAfter(channel, top, 10), { top: { offset: 1 }, publications: [{ offset: 1 }] })
  t.equal(store.calls.read + store.calls.tops, reads, 'the store was not asked')
  unwatch()
  await publish()
  store.deliverAll()
  t.equal(calls, 1)
  channels.watch(channel, top, () => void calls++)
  t.equal(calls, 1, 'not before watch returns')
  await setImmediate()
  t.equal(calls, 2, 'a publication is already there')
  // The position is above what this instance has received.
  await publish()
  store.notifications = []
  t.match(await channels.readAfter(channel, { ...top, offset: 3 }, 10), { publications: [] })
  await publish()
  store.notifications = []
  store.isReceiving = false
  t.match(await channels.readAfter(channel, { ...top, offset: 3 }, 10), { publications: [{ offset: 4 }] })
  await pass(61_000)
})
