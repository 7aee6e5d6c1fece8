import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { StoreUnavailable } from '../../src/store/store.js'
import { channel, start, TestSubscriber } from './broker-fixture.js'

/** Joining with the newest publications, and pages of a history. */

const last = (count: number) => ({ last: count, maxBytes: 1000 })
const offsetsOf = (publications: readonly { offset: number }[]) => publications.map(({ offset }) => offset)

t.test('joins behind the newest publications', async t => {
  const { store, channels, publish } = start()
  for (let i = 0; i < 5; i++) await publish()
  const a = new TestSubscriber()
  const joined = await channels.join(a, channel, last(2))
  t.same([joined.position, joined.recovered, offsetsOf(joined.publications)], [store.topOf(channel), false, [4, 5]])
  await publish()
  store.deliverAll()
  t.same(a.received, [], 'nothing before the release')
  channels.release(a, channel)
  t.same(a.received, [6])
})

t.test('publications that were received after the read are part of the list', async t => {
  const { store, channels, publish, subscriber } = start()
  const a = await subscriber()
  for (let i = 0; i < 2; i++) await publish()
  store.deliverAll()
  const { newest } = store
  store.newest = async (name, request) => {
    const page = await newest.call(store, name, request)
    await publish()
    store.deliverAll()
    return page
  }
  const joined = await channels.join(a, channel, last(2))
  t.same([offsetsOf(joined.publications), joined.position.offset], [[2, 3], 3])
  channels.release(a, channel)
  t.same(a.received, [1, 2, 3])
})

t.test('reads again when the channel has another epoch by then', async t => {
  const { store, channels, publish } = start()
  await publish()
  const { newest } = store
  store.newest = async (name, request) => {
    store.newest = newest
    const page = await newest.call(store, name, request)
    store.rewind(name)
    await publish()
    return { ...page, top: { ...page.top, epoch: 'of before' } }
  }
  const joined = await channels.join(new TestSubscriber(), channel, last(5))
  t.same([joined.position, offsetsOf(joined.publications)], [store.topOf(channel), [2]])
})

t.test('gives up after a bounded number of reads, and the subscriber keeps its position', async t => {
  const { store, channels, publish, subscriber } = start()
  const a = await subscriber()
  let reads = 0
  store.newest = async () => {
    reads++
    return { top: { offset: 1, epoch: `other ${reads}` }, publications: [], more: false }
  }
  await t.rejects(channels.join(a, channel, last(5)), StoreUnavailable)
  t.equal(reads, 3)
  await publish()
  store.deliverAll()
  t.same(a.received, [1])
})

t.test('an unavailable store rejects a page, and bounds hold for concurrent ones', async t => {
  const { store, channels } = start({ pageReads: 2 })
  store.isAway = true
  await t.rejects(channels.readPage(channel, { limit: 1, maxBytes: 1 }), StoreUnavailable)
  store.isAway = false
  store.calls.newest = 0
  let open = () => {}
  store.readGate = new Promise(resolve => {
    open = resolve
  })
  const reads = Array.from({ length: 5 }, () => channels.readPage(channel, { limit: 1, maxBytes: 1 }))
  await setImmediate()
  t.equal(store.calls.newest, 2, 'the others wait')
  open()
  await Promise.all(reads)
  t.equal(store.calls.newest, 5)
})
