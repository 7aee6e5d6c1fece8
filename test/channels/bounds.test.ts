import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { maxOutOfOrder } from '../../src/channels/channel-stream.js'
import { start, TestSubscriber } from './broker-fixture.js'

t.test('bounds streams, memory, out-of-order publications and concurrent reads', async t => {
  await t.test('streams', async t => {
    const { channels, subscriber, store, clock } = start({ streams: 2 })
    const [a] = [await subscriber(undefined, 'a'), await subscriber(undefined, 'b')]
    await t.rejects(new TestSubscriber().join(channels, undefined, 'c'), { code: 'UNAVAILABLE' })
    t.same(
      await channels.readAfter('c', undefined, 10),
      { top: store.topOf('c') },
      'the store answers without a stream'
    )
    channels.watch('c', store.topOf('c'), () => t.fail())()
    channels.leave(a, 'a')
    clock.advance(1)
    await subscriber(undefined, 'c')
    t.same([...store.listened], ['b', 'c'], 'an unused stream makes room')
  })
  await t.test('memory', async t => {
    const { channels, subscriber, store } = start({ totalHistoryBytes: 1000, historyBytes: 600 })
    const { epoch } = store.topOf('a')
    await subscriber(undefined, 'a')
    await subscriber(undefined, 'b')
    for (const name of ['a', 'b', 'a', 'b']) {
      await store.publish(name, JSON.stringify('x'.repeat(400)))
      store.deliverAll()
    }
    store.calls.read = 0
    const joined = await new TestSubscriber().join(channels, { offset: 0, epoch }, 'a')
    t.equal(joined.publications.length, 2)
    t.equal(store.calls.read, 1, 'publications that memory dropped are read')
  })
  await t.test('out of order', async t => {
    const { store, publish, subscriber } = start()
    const a = await subscriber()
    let open = () => {}
    store.readGate = new Promise(resolve => {
      open = resolve
    })
    for (let i = 0; i < maxOutOfOrder + 10; i++) await publish()
    const [, ...rest] = store.notifications
    for (const notification of rest) store.deliver(notification)
    open()
    await setImmediate()
    t.equal(a.received.length, maxOutOfOrder + 10)
  })
  await t.test('reads', async t => {
    const { store, publish, subscriber } = start({ repairs: 2 })
    const names = ['a', 'b', 'c', 'd', 'e']
    const all = []
    for (const name of names) all.push(await subscriber(undefined, name))
    let open = () => {}
    store.readGate = new Promise(resolve => {
      open = resolve
    })
    for (const name of [...names, ...names]) await publish(name)
    store.notifications.splice(0, names.length)
    store.deliverAll()
    await setImmediate()
    t.equal(store.calls.read, 2)
    open()
    await setImmediate()
    t.ok(all.every(({ received }) => received.length === 2))
  })
})
