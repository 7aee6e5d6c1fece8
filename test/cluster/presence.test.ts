import t from 'tap'
import type { Peer } from '../../src/auth/peer.js'
import {
  createPresenceTracker,
  maxPendingChanges,
  maxSweptChannels,
  presenceRefreshMs,
  sweepEveryMs
} from '../../src/cluster/presence.js'
import { maxCountCorrections } from '../../src/cluster/presence-announcer.js'
import { PresenceDelta, presenceChannelOf } from '../../src/session/presence-changes.js'
import type { PresenceEntry, PresenceStore } from '../../src/store/presence.js'
import { FakeStore } from '../channels/fake-store.js'
import { createClock } from '../helper/clock.js'

/** Presence changes that wait to be written. */

const peer: Peer = {
  ...{ sessionId: 's', clientId: 'c', keyId: 'k', remoteAddress: '127.0.0.1', attributes: {} },
  capabilities: { subscribe: [], publish: [], services: [], call: [], presence: [] }
}

const none = { joined: [], left: [] }

function createTracker() {
  const clock = createClock()
  const calls: ({ touched: number; left: number } | { swept: number })[] = []
  const store: PresenceStore = {
    async touch(entries) {
      calls.push({ touched: entries.length, left: 0 })
      return none
    },
    async leave(gone) {
      calls.push({ touched: 0, left: gone.length })
      return none
    },
    async sweep(channels) {
      calls.push({ swept: channels.length })
      return none
    },
    count: async () => 7,
    list: async () => []
  }
  const channels = new FakeStore()
  const options = { store: { presence: store, channels }, patterns: ['*'], lifeMs: 60_000, now: clock.now }
  return { clock, calls, store, channels, tracker: createPresenceTracker(options) }
}

t.test('writes all present sessions in one call at each refresh, and changes with the next flush', async t => {
  const { clock, calls, tracker } = createTracker()
  const everyone = (): PresenceEntry[] =>
    ['a', 'b', 'c'].map(channel => ({ channel, sessionId: 's', clientId: 'c', deadline: 1 }))
  await tracker.flush(everyone)
  await tracker.flush(everyone)
  t.same(calls, [{ touched: 3, left: 0 }], 'at first')
  clock.advance(presenceRefreshMs - 1)
  tracker.joined(peer, 'd')
  tracker.left(peer, 'e')
  tracker.left(peer, 'f')
  tracker.joined(peer, 'f')
  await tracker.flush(everyone)
  await tracker.flush(everyone)
  t.same(calls.splice(1), [
    { touched: 2, left: 0 },
    { touched: 0, left: 1 }
  ])
  clock.advance(1)
  await tracker.flush(everyone)
  t.same(calls.splice(1), [{ touched: 3, left: 0 }])
})

t.test('changes that wait are bounded', async t => {
  const { calls, tracker } = createTracker()
  await tracker.flush(() => [])
  for (let i = 0; i < maxPendingChanges; i++) tracker.joined(peer, `c${i}`)
  tracker.joined(peer, 'one more')
  tracker.left(peer, 'c0')
  await tracker.flush(() => [])
  t.same(calls, [
    { touched: maxPendingChanges - 1, left: 0 },
    { touched: 0, left: 1 }
  ])
})

const joinedBy = (...ids: string[]) => ids.map(sessionId => ({ channel: 'c', sessionId, clientId: 'c' }))

t.test('announces changes of watched channels', async t => {
  const { store, channels, tracker } = createTracker()
  store.touch = async () => ({ joined: joinedBy('a', 'b'), left: joinedBy('b', 'gone') })
  tracker.joined(peer, 'c')
  await tracker.flush(() => [])
  t.equal(channels.topOf(presenceChannelOf('c')).offset, 0, 'nobody wanted them')
  tracker.joined(peer, 'c')
  await tracker.flush(() => [])
  const name = presenceChannelOf('c')
  const { publications } = await channels.read(name, { ...channels.topOf(name), offset: 0 }, 9)
  t.same(
    publications?.map(({ data }) => JSON.parse(data)),
    [{ count: 7, joined: [{ sessionId: 'a', clientId: 'c' }], left: [{ sessionId: 'gone', clientId: 'c' }] }]
  )
  channels.isAway = true
  tracker.joined(peer, 'c')
  await tracker.flush(() => [])
  t.equal(channels.topOf(name).offset, 1, 'it is a hint: without the store it is lost')
})

t.test('bug: of two instances that announced at once, the older count could be the last', async t => {
  const { store, channels, tracker } = createTracker()
  const name = presenceChannelOf('c')
  await channels.read(name, channels.topOf(name), 1)
  const counts = [2, 1, 1]
  store.touch = async () => ({ joined: joinedBy('a'), left: [] })
  store.count = async () => {
    const count = counts.shift() ?? 1
    // The other instance removes an entry, and announces it, before this one announces what it has read.
    if (count === 2) await channels.publish(name, new PresenceDelta().encode(1))
    return count
  }
  tracker.joined(peer, 'c')
  await tracker.flush(() => [])
  const { publications = [] } = await channels.read(name, { ...channels.topOf(name), offset: 0 }, 9)
  t.same(
    publications.map(({ data }) => JSON.parse(data).count),
    [1, 2, 1]
  )
  let reads = 0
  store.count = async () => reads++
  tracker.joined(peer, 'c')
  await tracker.flush(() => [])
  t.equal(reads, 1 + maxCountCorrections, 'corrections are bounded')
})

t.test('removes ended entries of watched channels, while they are watched', async t => {
  const { clock, calls, tracker } = createTracker()
  await tracker.flush(() => [])
  tracker.watched('c')
  tracker.watched('c')
  clock.advance(sweepEveryMs)
  await tracker.flush(() => [])
  await tracker.flush(() => [])
  t.same(calls.splice(0), [{ swept: 1 }])
  clock.advance(60_000)
  await tracker.flush(() => [])
  t.same(calls, [], 'no longer wanted')
  for (let i = 0; i <= maxSweptChannels; i++) tracker.watched(`c${i}`)
  clock.advance(sweepEveryMs)
  await tracker.flush(() => [])
  t.same(calls, [{ swept: maxSweptChannels }])
})

t.test('keeps no presence of the channels of changes', async t => {
  const { tracker } = createTracker()
  t.equal(tracker.covers('c'), true)
  t.equal(tracker.covers(presenceChannelOf('c')), false)
})
