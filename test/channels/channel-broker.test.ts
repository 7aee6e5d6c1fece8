import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import type { ChannelBounds } from '../../src/channels/bounds.js'
import { createChannelBroker } from '../../src/channels/channel-broker.js'
import { maxOutOfOrder } from '../../src/channels/channel-stream.js'
import type { ChannelBroker, Subscriber } from '../../src/channels/types.js'
import type { Position, StoredPublication } from '../../src/store/channels.js'
import { StoreUnavailable } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { FakeStore } from './fake-store.js'

/** Publications on one instance, over a store whose words get lost, come twice, and overtake each other. */

const channel = 'c'

class TestSubscriber implements Subscriber {
  /** Offsets, `lost` included, in the order in which they came. */
  readonly told: (number | 'lost')[] = []
  position: Position = { offset: 0, epoch: '' }
  isJoined = false

  publication(_channel: string, epoch: string, { offset }: StoredPublication): void {
    this.told.push(offset)
    this.position = { offset, epoch }
  }

  lost(): void {
    this.told.push('lost')
    this.isJoined = false
  }

  async join(channels: ChannelBroker, recover?: Position, channelName = channel) {
    const joined = await channels.join(this, channelName, recover)
    this.isJoined = true
    this.position = joined.position
    return joined
  }
}

function start(bounds: Partial<ChannelBounds> = {}, historySize?: number) {
  const clock = createClock()
  const store = new FakeStore(historySize)
  const counts = { delivered: 0, missed: 0, lost: 0 }
  const channels = createChannelBroker({
    ...{ store, bounds, now: clock.now, random: () => 0.5 },
    log: { debug() {} },
    observer: {
      delivered(subscribers) {
        counts.delivered += subscribers
      },
      missed() {
        counts.missed++
      },
      lost(subscribers) {
        counts.lost += subscribers
      }
    }
  })
  const publish = (name = channel) => store.publish(name, '1')
  async function pass(ms: number): Promise<void> {
    clock.advance(ms)
    await channels.tick()
  }
  /** A subscriber that has joined and was released. */
  async function subscriber(recover?: Position, name = channel): Promise<TestSubscriber> {
    const made = new TestSubscriber()
    await made.join(channels, recover, name)
    channels.release(made, name)
    return made
  }
  return { clock, store, channels, counts, publish, pass, subscriber }
}

t.test('what is published is told once and in order', async t => {
  const { store, publish, subscriber, counts } = start()
  const [a, b] = [await subscriber(), await subscriber()]
  for (let i = 0; i < 3; i++) await publish()
  store.deliverAll()
  t.same(a.told, [1, 2, 3])
  t.same(b.told, [1, 2, 3])
  t.equal(counts.delivered, 6)
})

t.test('words that come twice, late or in another order', async t => {
  const { store, publish, subscriber } = start()
  const a = await subscriber()
  for (let i = 0; i < 4; i++) await publish()
  const [first, second, third, fourth] = store.words
  for (const word of [third, first, first, second, third, fourth, second]) store.deliver(word)
  await setImmediate()
  t.same(a.told, [1, 2, 3, 4])
})

t.test('a lost word is found by the next one, and read', async t => {
  const { store, publish, subscriber, counts } = start()
  const a = await subscriber()
  for (let i = 0; i < 3; i++) await publish()
  store.words.shift()
  store.deliverAll()
  await setImmediate()
  t.same(a.told, [1, 2, 3])
  t.match(counts, { missed: 1, lost: 0 })
  t.equal(store.calls.read, 1, 'one read for all that was missed')
})

t.test('a position is known to be the top only while that can be known', async t => {
  const { store, channels, publish, subscriber } = start()
  t.equal(channels.isTop(channel, store.topOf(channel)), false, 'a channel that is not followed')
  await subscriber()
  const begin = store.topOf(channel)
  t.equal(channels.isTop(channel, begin), true)
  t.equal(channels.isTop(channel, { ...begin, epoch: 'another' }), false)
  await publish()
  store.deliverAll()
  t.equal(channels.isTop(channel, begin), false, 'something came')
  const second = store.topOf(channel)
  t.equal(channels.isTop(channel, second), true)
  await publish()
  await publish()
  store.words.shift()
  store.readGate = new Promise(() => {})
  store.deliverAll()
  t.equal(channels.isTop(channel, second), false, 'a hole is being filled')
})

t.test('a deaf instance knows of no top', async t => {
  const { store, channels, subscriber } = start()
  await subscriber()
  store.isReceiving = false
  t.equal(channels.isTop(channel, store.topOf(channel)), false)
})

t.test('a lost word of a quiet channel is found within 40 s', async t => {
  const { store, publish, subscriber, pass } = start()
  const a = await subscriber()
  await publish()
  store.words = []
  await pass(39_999)
  t.same(a.told, [])
  await pass(1)
  t.same(a.told, [1])
})

t.test('after a break all positions are checked, soon, at a moment of its own, in batches', async t => {
  const { store, publish, subscriber, pass } = start({ batch: 10 })
  const names = Array.from({ length: 25 }, (_, i) => `c${i}`)
  const all = []
  for (const name of names) all.push(await subscriber(undefined, name))
  for (const name of names) await publish(name)
  store.words = []
  store.mayHaveMissed()
  const before = store.calls.tops
  await pass(999)
  t.equal(store.calls.tops, before, 'not before its moment')
  await pass(1)
  t.equal(store.calls.tops, before + 3)
  t.ok(all.every(({ told }) => told.length === 1))
})

t.test('what cannot be had is said, once', async t => {
  const { store, publish, subscriber, counts } = start({}, 5)
  const a = await subscriber()
  for (let i = 0; i < 7; i++) await publish()
  store.words.splice(0, 6)
  store.deliverAll()
  await setImmediate()
  t.same(a.told, ['lost'])
  t.equal(counts.lost, 1)
  const b = await subscriber()
  await publish()
  store.deliverAll()
  t.same(a.told, ['lost'], 'who was told is no longer joined')
  t.same(b.told, [8])
})

t.test('another epoch is a break', async t => {
  const { store, publish, subscriber, channels, pass } = start()
  const [a, held] = [await subscriber(), new TestSubscriber()]
  await publish()
  const [old] = store.words
  store.deliverAll()
  await held.join(channels)
  store.rewind(channel)
  await publish()
  store.deliverAll()
  await setImmediate()
  t.same(a.told, [1, 'lost'])
  t.same(held.told, ['lost'])
  const b = await subscriber(a.position)
  store.deliver(old)
  await setImmediate()
  await publish()
  store.deliverAll()
  await pass(40_000)
  t.same(b.told, [3], 'a word of the old epoch is nothing')
})

t.test('nothing is told between join and release, and nothing is lost', async t => {
  const { store, publish, subscriber, channels } = start()
  const first = await subscriber()
  await publish()
  store.deliverAll()
  const a = new TestSubscriber()
  t.same(await a.join(channels), { position: store.topOf(channel), recovered: false, publications: [] })
  await publish()
  store.deliverAll()
  t.same(a.told, [])
  channels.release(a, channel)
  t.same(a.told, [2])
  t.same(first.told, [1, 2])
})

t.test('a word that comes while the channel is opened is not lost', async t => {
  const { store, publish, channels } = start()
  const a = new TestSubscriber()
  const joining = a.join(channels)
  await publish()
  await Promise.resolve()
  store.listened.add(channel)
  await publish()
  await publish()
  store.words = store.words.reverse()
  store.deliverAll()
  const { position } = await joining
  channels.release(a, channel)
  await publish()
  store.deliverAll()
  await setImmediate()
  t.same(
    [position.offset, ...a.told],
    Array.from({ length: 5 - position.offset }, (_, i) => position.offset + i)
  )
})

t.test('recovery: all, or nothing', async t => {
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
  t.equal(await recover(5), false, 'more than one recovery replays')
  t.equal(await recover(3), false, 'beyond the history')
  t.equal(await recover(11), false, 'a position that never was')
  t.equal(await recover(10, 'other'), false)
  const a = await subscriber({ offset: 9, epoch })
  await publish()
  store.deliverAll()
  t.same(a.told, [11])
})

t.test('recovery has a bound in bytes', async t => {
  const { store, channels } = start({ recoverBytes: 10 })
  const { epoch } = store.topOf(channel)
  await store.publish(channel, '"12345678"')
  t.match(await new TestSubscriber().join(channels, { offset: 0, epoch }), { recovered: true })
  await store.publish(channel, '1')
  t.match(await new TestSubscriber().join(channels, { offset: 0, epoch }), { recovered: false })
})

t.test('recovery that the store cannot give leaves the others alone', async t => {
  const { store, publish, subscriber, channels } = start({ historyCount: 1 }, 2)
  const a = await subscriber()
  for (let i = 0; i < 4; i++) {
    await publish()
    store.deliverAll()
  }
  await publish()
  const b = new TestSubscriber()
  t.match(await b.join(channels, { ...store.topOf(channel), offset: 1 }), { recovered: false })
  t.same(a.told, [1, 2, 3, 4, 5], 'the join has found it for all')
})

t.test('a store that does not answer: a join fails, those who have joined stay', async t => {
  const { store, publish, subscriber, channels, pass } = start()
  const a = await subscriber()
  await publish()
  store.words = []
  store.isAway = true
  await t.rejects(new TestSubscriber().join(channels), StoreUnavailable)
  await pass(40_000)
  await pass(1000)
  t.same(a.told, [], 'nobody is sent away')
  store.isAway = false
  await pass(1000)
  t.same(a.told, [1])
})

t.test('many join in few calls, and the last to leave is remembered for a while', async t => {
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

t.test('bounds: channels followed, publications in memory, words ahead, reads at a time', async t => {
  await t.test('channels', async t => {
    const { channels, subscriber, store, clock } = start({ streams: 2 })
    const [a] = [await subscriber(undefined, 'a'), await subscriber(undefined, 'b')]
    await t.rejects(new TestSubscriber().join(channels, undefined, 'c'), { code: 'UNAVAILABLE' })
    t.same(
      await channels.readAfter('c', undefined, 10),
      { top: store.topOf('c') },
      'who fetches is served by the store'
    )
    channels.watch('c', store.topOf('c'), () => t.fail())()
    channels.leave(a, 'a')
    clock.advance(1)
    await subscriber(undefined, 'c')
    t.same([...store.listened], ['b', 'c'], 'one that nobody needs makes room')
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
    t.equal(store.calls.read, 1, 'what memory has dropped is read')
  })
  await t.test('ahead', async t => {
    const { store, publish, subscriber } = start()
    const a = await subscriber()
    let open = () => {}
    store.readGate = new Promise(resolve => {
      open = resolve
    })
    for (let i = 0; i < maxOutOfOrder + 10; i++) await publish()
    const [, ...rest] = store.words
    for (const word of rest) store.deliver(word)
    open()
    await setImmediate()
    t.equal(a.told.length, maxOutOfOrder + 10)
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
    store.words.splice(0, names.length)
    store.deliverAll()
    await setImmediate()
    t.equal(store.calls.read, 2)
    open()
    await setImmediate()
    t.ok(all.every(({ told }) => told.length === 2))
  })
})

t.test('who fetches: from memory where the channel is followed, and woken when there is something', async t => {
  const { store, publish, channels, pass } = start()
  const top = store.topOf(channel)
  t.same(await channels.readAfter(channel, top, 10), { top, publications: [] })
  let woken = 0
  const unwatch = channels.watch(channel, top, () => void woken++)
  await setImmediate()
  t.equal(woken, 0)
  await publish()
  store.deliverAll()
  t.equal(woken, 1)
  const reads = store.calls.read + store.calls.tops
  t.match(await channels.readAfter(channel, top, 10), { top: { offset: 1 }, publications: [{ offset: 1 }] })
  t.equal(store.calls.read + store.calls.tops, reads, 'nobody was asked')
  unwatch()
  await publish()
  store.deliverAll()
  t.equal(woken, 1)
  channels.watch(channel, top, () => void woken++)
  t.equal(woken, 1, 'not before it returns')
  await setImmediate()
  t.equal(woken, 2, 'something is there already')
  // Another instance has seen more than this one has heard of.
  await publish()
  store.words = []
  t.match(await channels.readAfter(channel, { ...top, offset: 3 }, 10), { publications: [] })
  await publish()
  store.words = []
  store.isReceiving = false
  t.match(await channels.readAfter(channel, { ...top, offset: 3 }, 10), { publications: [{ offset: 4 }] })
  await pass(61_000)
})

t.test('property: every subscriber is told of everything once and in order, or that it was lost', async t => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('publish' as const) }) },
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constantFrom('deliver', 'lose', 'duplicate' as const), at: fc.nat(8) })
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('join', 'rejoin', 'leave' as const), who: fc.nat(3) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom('rewind', 'away', 'back', 'tick', 'turn', 'missed' as const) })
    }
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 6 }), async (steps, historySize) => {
      const { store, channels, pass, publish } = start({ historyCount: 3, recover: 8 }, historySize)
      const subscribers = Array.from({ length: 4 }, () => new TestSubscriber())
      /** What each has been told since it last joined must follow on this. */
      const expected = new Map<TestSubscriber, number>()

      function check(subscriber: TestSubscriber): void {
        let next = expected.get(subscriber)
        for (const told of subscriber.told.splice(0)) {
          if (next === undefined) throw new Error(`told ${told} after it was lost or had left`)
          if (told === 'lost') next = undefined
          else if (told !== next) throw new Error(`told ${told} instead of ${next}`)
          else next++
        }
        if (next === undefined) expected.delete(subscriber)
        else expected.set(subscriber, next)
      }

      async function join(subscriber: TestSubscriber, recover: Position | undefined): Promise<void> {
        try {
          const { position, recovered, publications } = await subscriber.join(channels, recover)
          check(subscriber)
          if (recovered && recover !== undefined) {
            const offsets = publications.map(({ offset }) => offset)
            const missed = Array.from({ length: position.offset - recover.offset }, (_, i) => recover.offset + 1 + i)
            if (String(offsets) !== String(missed)) throw new Error(`recovered ${offsets} instead of ${missed}`)
          }
          expected.set(subscriber, position.offset + 1)
          channels.release(subscriber, channel)
        } catch (error) {
          if (!(error instanceof StoreUnavailable)) throw error
        }
      }

      for (const each of steps) {
        if ('at' in each) {
          const at = Math.min(each.at, store.words.length - 1)
          if (each.kind === 'duplicate') store.deliver(store.words[at])
          else {
            const [word] = store.words.splice(Math.max(at, 0), 1)
            if (each.kind === 'deliver') store.deliver(word)
          }
        } else if ('who' in each) {
          const subscriber = subscribers[each.who]
          if (subscriber === undefined) continue
          if (each.kind === 'leave') {
            channels.leave(subscriber, channel)
            check(subscriber)
            expected.delete(subscriber)
          } else await join(subscriber, each.kind === 'rejoin' ? subscriber.position : undefined)
        } else if (each.kind === 'publish') await publish().catch(() => {})
        else if (each.kind === 'rewind') store.rewind(channel)
        else if (each.kind === 'tick') await pass(1000)
        else if (each.kind === 'turn') await setImmediate()
        else if (each.kind === 'missed') store.mayHaveMissed()
        else store.isAway = each.kind === 'away'
        subscribers.forEach(check)
      }
      // Then all is well again, and nothing more is lost: everyone who has joined gets to the top.
      store.isAway = false
      await setImmediate()
      await pass(40_000)
      await pass(1000)
      await publish()
      store.deliverAll()
      await setImmediate()
      const top = store.topOf(channel).offset
      for (const subscriber of subscribers) {
        check(subscriber)
        const next = expected.get(subscriber)
        if (next !== undefined && next !== top + 1) throw new Error(`stands before ${next}, the top is ${top}`)
      }
    }),
    { numRuns: 300 }
  )
  t.pass()
})
