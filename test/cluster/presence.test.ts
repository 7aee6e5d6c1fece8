import t from 'tap'
import type { Peer } from '../../src/auth/peer.js'
import { createPresenceTracker, maxPendingChanges, presenceRefreshMs } from '../../src/cluster/presence.js'
import type { PresenceEntry, PresenceStore } from '../../src/store/presence.js'
import { createClock } from '../helper/clock.js'

/** What waits to be told of who is where. */

const peer: Peer = {
  ...{ sessionId: 's', clientId: 'c', keyId: 'k', remoteAddress: '127.0.0.1', attributes: {} },
  capabilities: { subscribe: [], publish: [], services: [] }
}

function createBook() {
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
  return { clock, calls, book: createPresenceTracker(store, ['*'], clock.now) }
}

t.test('all who are there are told in one call, now and then; changes with the next', async t => {
  const { clock, calls, book } = createBook()
  const everyone = (): PresenceEntry[] =>
    ['a', 'b', 'c'].map(channel => ({ channel, sessionId: 's', clientId: 'c', deadline: 1 }))
  await book.flush(everyone)
  await book.flush(everyone)
  t.same(calls, [{ touched: 3, left: 0 }], 'at first')
  clock.advance(presenceRefreshMs - 1)
  book.joined(peer, 'd')
  book.left(peer, 'e')
  book.left(peer, 'f')
  book.joined(peer, 'f')
  await book.flush(everyone)
  await book.flush(everyone)
  t.same(calls.splice(1), [
    { touched: 2, left: 0 },
    { touched: 0, left: 1 }
  ])
  clock.advance(1)
  await book.flush(everyone)
  t.same(calls.splice(1), [{ touched: 3, left: 0 }])
})

t.test('changes that wait are bounded', async t => {
  const { calls, book } = createBook()
  await book.flush(() => [])
  for (let i = 0; i < maxPendingChanges; i++) book.joined(peer, `c${i}`)
  book.joined(peer, 'one more')
  book.left(peer, 'c0')
  await book.flush(() => [])
  t.same(calls, [
    { touched: maxPendingChanges - 1, left: 0 },
    { touched: 0, left: 1 }
  ])
})
