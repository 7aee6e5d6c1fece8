import t from 'tap'
import type { Peer } from '../../src/auth/peer.js'
import { createPresenceTracker, maxPendingChanges, presenceRefreshMs } from '../../src/cluster/presence.js'
import type { PresenceEntry, PresenceStore } from '../../src/store/presence.js'
import { createClock } from '../helper/clock.js'

/** Presence changes that wait to be written. */

const peer: Peer = {
  ...{ sessionId: 's', clientId: 'c', keyId: 'k', remoteAddress: '127.0.0.1', attributes: {} },
  capabilities: { subscribe: [], publish: [], services: [], call: [], presence: [] }
}

function createTracker() {
  const clock = createClock()
  const calls: { touched: number; left: number }[] = []
  const store: PresenceStore = {
    async touch(entries) {
      calls.push({ touched: entries.length, left: 0 })
    },
    async leave(gone) {
      calls.push({ touched: 0, left: gone.length })
    },
    count: async () => 0,
    list: async () => []
  }
  return { clock, calls, tracker: createPresenceTracker(store, ['*'], clock.now) }
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
