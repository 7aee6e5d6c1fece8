import type { Test } from 'tap'
import type { SessionEntry } from '../../src/store/ephemeral.js'
import type { OpenStoreForTest } from '../helper/stores.js'

function session(sessionId: string, more: Partial<SessionEntry> = {}): SessionEntry {
  return {
    ...{ sessionId, clientId: 'c', keyId: 'k', instanceId: 'i', transport: 'ws', openedAt: 1, expiresAt: 9e12 },
    ...{ deadline: 1000, remoteAddress: '127.0.0.1', attributes: { placeId: '1' } },
    ...more
  }
}

/** Sessions, on each store. */
export function sessionsSuite(t: Test, open: OpenStoreForTest): void {
  t.test('sessions: opens, touches and ends from any instance', async t => {
    const { store, another } = await open(t, Date.now)
    const { sessions } = await another()
    t.equal(await store.sessions.open(session('s1'), 10), true)
    t.same(await sessions.get('s1'), session('s1'))
    t.equal(await sessions.get('s2'), undefined)
    await store.sessions.touch([
      { sessionId: 's1', deadline: 2000 },
      { sessionId: 'unknown', deadline: 2000 }
    ])
    t.equal((await sessions.get('s1'))?.deadline, 2000)
    await store.sessions.touch([{ sessionId: 's1', deadline: 1500 }])
    t.equal((await sessions.get('s1'))?.deadline, 2000, 'deadlines only move forward')
    t.equal(await sessions.get('unknown'), undefined)
    t.equal(await sessions.count(), 1)
    t.equal(await sessions.end('s1'), true)
    t.equal(await store.sessions.end('s1'), false)
    t.equal(await store.sessions.get('s1'), undefined)
    t.same(await store.sessions.list('', 10), [])
    t.equal(await store.sessions.count(), 0)
  })

  t.test('sessions: replaces attributes from any instance, and nothing else', async t => {
    const { store, another } = await open(t, Date.now)
    const { sessions } = await another()
    await store.sessions.open(session('s1', { deadline: 3000 }), 10)
    const attributes = { players: '12', 'ü"\\': '\u0000' }
    t.equal(await sessions.setAttributes('s1', attributes), true)
    t.same(await store.sessions.get('s1'), session('s1', { deadline: 3000, attributes }))
    t.match(await store.sessions.list('', 10, 'c'), [{ attributes }])
    await store.sessions.open(session('s0'), 10)
    const many = await sessions.getMany(['s1', 'unknown', 's0'])
    t.same(many, [session('s1', { deadline: 3000, attributes }), session('s0')], 'of several, in their order')
    t.same(await sessions.getMany([]), [])
    await store.sessions.end('s0')
    t.equal(await sessions.setAttributes('s1', {}), true)
    t.same((await store.sessions.get('s1'))?.attributes, {})
    t.equal(await sessions.end('s1'), true)
    t.equal(await sessions.setAttributes('s1', attributes), false)
    t.equal(await store.sessions.get('s1'), undefined, 'an ended session stays ended')
  })

  t.test('sessions: adds up the traffic of each over instances', async t => {
    const { store, another } = await open(t, Date.now)
    const { sessions } = await another()
    for (const id of ['s1', 's2', 's3']) await sessions.open(session(id, { clientId: id }), 10)
    const counts = (frames: number, refused = 0) => ({ frames, bytes: frames * 10, refused })
    await store.sessions.touch([
      { sessionId: 's1', deadline: 2000, counts: counts(3) },
      { sessionId: 's2', deadline: 2000, counts: counts(5, 2) },
      { sessionId: 's3', deadline: 2000 },
      { sessionId: 'unknown', deadline: 2000, counts: counts(1000) }
    ])
    await sessions.touch([{ sessionId: 's1', deadline: 1, counts: counts(4) }])
    const shown = (list: readonly { sessionId: string; counts: object }[]) =>
      list.map(({ sessionId, counts }) => ({ sessionId, counts }))
    t.same(shown(await sessions.list('', 10)), [
      { sessionId: 's1', counts: counts(7) },
      { sessionId: 's2', counts: counts(5, 2) },
      { sessionId: 's3', counts: counts(0) }
    ])
    t.same(shown(await sessions.top(10)), [
      { sessionId: 's1', counts: counts(7) },
      { sessionId: 's2', counts: counts(5, 2) }
    ])
    t.same(shown(await sessions.top(1)), [{ sessionId: 's1', counts: counts(7) }], 'at most as many')
    await sessions.end('s1')
    await sessions.open(session('s1'), 10)
    t.equal((await sessions.list('', 1))[0]?.counts.frames, 0, 'nothing is left of an ended session')
  })

  t.test('sessions: touches 100,000 sessions in one call', async t => {
    const { sessions } = (await open(t, Date.now)).store
    await sessions.open(session('last'), 1)
    const many = Array.from({ length: 100_000 }, (_, i) => ({ sessionId: `unknown-${i}`, deadline: 5000 }))
    await sessions.touch([...many, { sessionId: 'last', deadline: 5000 }])
    t.equal((await sessions.get('last'))?.deadline, 5000)
    t.equal(await sessions.count(), 1)
  })

  t.test('sessions: limits each client and lists in pages', async t => {
    const { sessions } = (await open(t, Date.now)).store
    t.equal(await sessions.open(session('s1'), 2), true)
    t.equal(await sessions.open(session('s3'), 2), true)
    t.equal(await sessions.open(session('s4'), 2), false, 'the limit')
    t.equal(await sessions.get('s4'), undefined)
    t.equal(await sessions.open(session('s2', { clientId: 'd' }), 2), true, 'another client')
    const ids = async (after: string, limit: number, clientId?: string) =>
      (await sessions.list(after, limit, clientId)).map(({ sessionId }) => sessionId)
    t.same(await ids('', 10), ['s1', 's2', 's3'])
    t.same(await ids('s1', 1), ['s2'])
    t.same(await ids('', 10, 'c'), ['s1', 's3'])
    t.same(await ids('s1', 10, 'c'), ['s3'])
    t.same(await ids('', 10, 'nobody'), [])
    await sessions.end('s1')
    t.equal(await sessions.open(session('s4'), 2), true, 'below the limit again')
  })

  t.test('sessions: leases each overdue session to one caller', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    for (let i = 0; i < 20; i++) await store.sessions.open(session(`s${i}`, { deadline: i < 15 ? 1000 + i : 5000 }), 99)
    t.same(await store.sessions.reap(999, 100, 500), [], 'not yet')
    t.equal((await store.sessions.reap(1000, 100, 9000)).length, 1, 'exactly at its deadline')
    const both = await Promise.all([store.sessions.reap(2000, 9, 500), second.sessions.reap(2000, 9, 500)])
    const reaped = both.flat().map(({ sessionId }) => sessionId)
    t.equal(new Set(reaped).size, 14)
    t.equal(reaped.length, 14)
    t.equal(both[0].length <= 9 && both[1].length <= 9, true, 'at most the limit')
    t.same(await store.sessions.reap(2499, 99, 500), [], 'leased')
    const again = await store.sessions.reap(2500, 99, 500)
    t.equal(again.length, 14, 'the callers did not end them')
    for (const { sessionId } of again) t.equal(await store.sessions.end(sessionId), true)
    t.equal(await store.sessions.count(), 6)
    t.equal((await store.sessions.list('', 99, 'c')).length, 6)
  })
}
