import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { channel, start, TestSubscriber } from './broker-fixture.js'

/** Delivery over a store whose notifications get lost, come twice, or come out of order. */

t.test('delivers each publication once and in order', async t => {
  const { store, publish, subscriber, counts } = start()
  const [a, b] = [await subscriber(), await subscriber()]
  for (let i = 0; i < 3; i++) await publish()
  store.deliverAll()
  t.same(a.received, [1, 2, 3])
  t.same(b.received, [1, 2, 3])
  t.equal(counts.delivered, 6)
})

t.test('delivers once and in order despite repeated, late and reordered notifications', async t => {
  const { store, publish, subscriber } = start()
  const a = await subscriber()
  for (let i = 0; i < 4; i++) await publish()
  const [first, second, third, fourth] = store.notifications
  for (const notification of [third, first, first, second, third, fourth, second]) store.deliver(notification)
  await setImmediate()
  t.same(a.received, [1, 2, 3, 4])
})

t.test('detects a lost notification by the next one and reads the gap', async t => {
  const { store, publish, subscriber, counts } = start()
  const a = await subscriber()
  for (let i = 0; i < 3; i++) await publish()
  store.notifications.shift()
  store.deliverAll()
  await setImmediate()
  t.same(a.received, [1, 2, 3])
  t.match(counts, { missed: 1, lost: 0 })
  t.equal(store.calls.read, 1, 'one read for the whole gap')
})

t.test('detects a lost notification of a silent channel within 40 s', async t => {
  const { store, publish, subscriber, pass } = start()
  const a = await subscriber()
  await publish()
  store.notifications = []
  await pass(39_999)
  t.same(a.received, [])
  await pass(1)
  t.same(a.received, [1])
})

t.test('verifies all positions after a break, at a random moment and in batches', async t => {
  const { store, publish, subscriber, pass } = start({ batch: 10 })
  const names = Array.from({ length: 25 }, (_, i) => `c${i}`)
  const all = []
  for (const name of names) all.push(await subscriber(undefined, name))
  for (const name of names) await publish(name)
  store.notifications = []
  store.mayHaveMissed()
  const before = store.calls.tops
  await pass(999)
  t.equal(store.calls.tops, before, 'not before that moment')
  await pass(1)
  t.equal(store.calls.tops, before + 3)
  t.ok(all.every(({ received }) => received.length === 1))
})

t.test('reports a loss once', async t => {
  const { store, publish, subscriber, counts } = start({}, 5)
  const a = await subscriber()
  for (let i = 0; i < 7; i++) await publish()
  store.notifications.splice(0, 6)
  store.deliverAll()
  await setImmediate()
  t.same(a.received, ['lost'])
  t.equal(counts.lost, 1)
  const b = await subscriber()
  await publish()
  store.deliverAll()
  t.same(a.received, ['lost'], 'a lost subscriber is no longer joined')
  t.same(b.received, [8])
})

t.test('reports a loss for another epoch', async t => {
  const { store, publish, subscriber, channels, pass } = start()
  const [a, held] = [await subscriber(), new TestSubscriber()]
  await publish()
  const [old] = store.notifications
  store.deliverAll()
  await held.join(channels)
  store.rewind(channel)
  await publish()
  store.deliverAll()
  await setImmediate()
  t.same(a.received, [1, 'lost'])
  t.same(held.received, ['lost'])
  const b = await subscriber(a.position)
  store.deliver(old)
  await setImmediate()
  await publish()
  store.deliverAll()
  await pass(40_000)
  t.same(b.received, [3], 'a notification of the old epoch is ignored')
})
