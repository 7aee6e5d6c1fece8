import t from 'tap'
import {
  maxSeenClients,
  maxSeenSessions,
  StoredSessionDirectory,
  seenLifeMs
} from '../../src/session/session-directory.js'
import { createEmbeddedSessions } from '../../src/store/embedded/ephemeral.js'
import type { SessionEntry } from '../../src/store/ephemeral.js'
import { createClock } from '../helper/clock.js'

const timeoutMs = { ws: 55_000, bridge: 90_000 }

function start() {
  const clock = createClock()
  const sessions = createEmbeddedSessions()
  const dead = new Set<string>()
  const calls = { list: 0, get: 0 }
  const counted: typeof sessions = {
    ...sessions,
    get(sessionId) {
      calls.get++
      return sessions.get(sessionId)
    },
    list(...all) {
      calls.list++
      return sessions.list(...all)
    }
  }
  const directory = new StoredSessionDirectory({
    store: { sessions: counted, bridge: { isAlive: async id => !dead.has(id) } },
    ...{ instanceId: 'own', timeoutMs, now: clock.now, steadyNow: clock.now }
  })
  /** Opens a session that was seen this long ago. */
  async function open(sessionId: string, seenMsAgo = 0, more: Partial<SessionEntry> = {}): Promise<void> {
    const { transport = 'ws' } = more
    const deadline = clock.now() - seenMsAgo + timeoutMs[transport]
    const entry: SessionEntry = {
      ...{ sessionId, clientId: 'c', keyId: 'k', instanceId: 'other', transport, openedAt: clock.now() - 10_000 },
      ...{ expiresAt: Number.MAX_SAFE_INTEGER, deadline, remoteAddress: '::1', attributes: {} },
      ...more
    }
    await sessions.open(entry, Number.MAX_SAFE_INTEGER)
  }
  const ids = async (after = '', limit = 10) => {
    const { sessions, next } = await directory.list('c', after, limit)
    return [sessions.map(({ sessionId }) => sessionId), next]
  }
  return { clock, sessions, dead, calls, directory, open, ids }
}

t.test('bug: a session was last seen before it was opened', async t => {
  const { clock, directory, open } = start()
  await open('s', 4, { openedAt: clock.now() })
  t.equal((await directory.get('s'))?.lastSeenAt, clock.now())
})

t.test('lists the public data of a session', async t => {
  const { clock, directory, open } = start()
  await open('s', 3000, { transport: 'bridge', attributes: { players: '3' } })
  const listed = {
    ...{ sessionId: 's', clientId: 'c', transport: 'bridge', openedAt: clock.now() - 10_000 },
    lastSeenAt: clock.now() - 3000,
    attributes: { players: '3' }
  }
  t.same(await directory.list('c', '', 10), { sessions: [listed] })
  t.same(await directory.get('s'), { ...listed, instanceId: 'other' }, 'the gateway itself sees the instance')
  t.equal(await directory.get('unknown'), undefined)
  t.same(await directory.list('nobody', '', 10), { sessions: [] })
})

t.test('a deadline ahead of the clock counts as seen now', async t => {
  const { clock, directory, open } = start()
  await open('s', -500)
  t.equal((await directory.get('s'))?.lastSeenAt, clock.now())
})

t.test('lists in pages, in the order of ids', async t => {
  const { open, ids } = start()
  for (const id of ['s3', 's1', 's5', 's2', 's4']) await open(id)
  t.same(await ids('', 2), [['s1', 's2'], 's2'])
  t.same(await ids('s2', 2), [['s3', 's4'], 's4'])
  t.same(await ids('s4', 2), [['s5'], undefined])
  t.same(await ids('', 5), [['s1', 's2', 's3', 's4', 's5'], undefined], 'the last page is known to be the last')
})

t.test('leaves out dead sessions, and those of an instance that died, without shortening a page', async t => {
  const { clock, dead, directory, open, ids } = start()
  await open('s1', 55_000)
  await open('s2', 0, { instanceId: 'died' })
  await open('s3', 0, { instanceId: 'died', transport: 'bridge' })
  await open('s4', 0, { instanceId: 'own' })
  for (const id of ['s5', 's6']) await open(id)
  t.same(await ids('', 10), [['s2', 's3', 's4', 's5', 's6'], undefined])
  dead.add('died').add('own')
  clock.advance(1000)
  t.same(await ids('', 2), [['s3', 's4'], 's4'], 'other instances serve a bridge session')
  t.same(await ids('s4', 2), [['s5', 's6'], undefined])
  t.equal(await directory.get('s2'), undefined)
  t.match(await directory.get('s3'), { sessionId: 's3' })
})

t.test('finds the session that was seen last, over transports and pages of the store', async t => {
  const { open, directory } = start()
  for (let i = 0; i < 1500; i++) await open(`s${String(i).padStart(4, '0')}`, 5000)
  await open('s1400', 1000, { transport: 'bridge' })
  await open('s0003', 2000)
  t.match(await directory.mostRecentlySeen('c'), { sessionId: 's1400' })
  t.equal(await directory.mostRecentlySeen('nobody'), undefined)
})

t.test('keeps the one that was seen last for a second, or until it is forgotten', async t => {
  const { clock, sessions, calls, directory, open } = start()
  t.equal(await directory.mostRecentlySeen('c'), undefined)
  await open('s1')
  t.match(await directory.mostRecentlySeen('c'), { sessionId: 's1' }, 'an absence is not kept')
  const before = calls.list
  await open('s2', -1)
  await Promise.all(Array.from({ length: 10 }, () => directory.mostRecentlySeen('c')))
  t.match(await directory.mostRecentlySeen('c'), { sessionId: 's1' })
  t.equal(calls.list, before)
  directory.forget('c')
  t.match(await directory.mostRecentlySeen('c'), { sessionId: 's1' }, 'both were seen now')
  await sessions.end('s1')
  clock.advance(seenLifeMs)
  t.match(await directory.mostRecentlySeen('c'), { sessionId: 's2' })
})

t.test('keeps answers for a bounded number of clients', async t => {
  const { calls, directory, open } = start()
  for (let i = 0; i <= maxSeenClients; i++) await open(`s${i}`, 0, { clientId: `c${i}` })
  for (let i = 0; i <= maxSeenClients; i++) await directory.mostRecentlySeen(`c${i}`)
  const before = calls.list
  await directory.mostRecentlySeen(`c${maxSeenClients}`)
  t.equal(calls.list, before)
  await directory.mostRecentlySeen('c0')
  t.equal(calls.list, before + 1, 'the oldest was forgotten')
})

t.test('compares a bounded number of sessions for the one that was seen last', async t => {
  const { open, directory } = start()
  const id = (i: number) => `s${String(i).padStart(6, '0')}`
  for (let i = 0; i < maxSeenSessions; i++) await open(id(i), i === 5 ? 1000 : 5000)
  await open(id(maxSeenSessions))
  t.match(await directory.mostRecentlySeen('c'), { sessionId: id(5) })
})

t.test('asks once a second for a session that calls go to', async t => {
  const { clock, calls, directory, open } = start()
  await open('s')
  const before = calls.get
  for (let i = 0; i < 10; i++) await directory.get('s')
  t.equal(calls.get, before + 1)
  clock.advance(seenLifeMs)
  await directory.get('s')
  t.equal(calls.get, before + 2)
})
