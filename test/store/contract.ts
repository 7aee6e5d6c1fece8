import type { Test } from 'tap'
import type { ChangeEvent } from '../../src/store/change-event.js'
import type { AuditHead, Change, SessionEntry } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import type { OpenStoreForTest } from '../helper/stores.js'

/** What every store must hold to. Run on each by `store.test.ts`. */

/** An audit entry that shows what it follows. */
const entry = (name: string): Change['audit'] => {
  return (head: AuditHead) => ({ hash: `h${head.seq + 1}`, text: `${name} after ${head.seq}/${head.hash}` })
}

function session(sessionId: string, more: Partial<SessionEntry> = {}): SessionEntry {
  return {
    ...{ sessionId, clientId: 'c', keyId: 'k', instanceId: 'i', transport: 'ws', openedAt: 1, expiresAt: 9e12 },
    ...{ deadline: 1000, remoteAddress: '127.0.0.1', attributes: { placeId: '1' } },
    ...more
  }
}

export function storeContract(t: Test, open: OpenStoreForTest): void {
  t.test('records: created, changed, removed, each by the version that was read', async t => {
    const { durable: records } = (await open(t, Date.now)).store
    t.equal(await records.get('client:a'), undefined)
    const first = await records.commit({ writes: [{ key: 'client:a', expect: 0, text: '{"n":1}' }], audit: entry('x') })
    t.type(first, 'number')
    const stored = await records.get('client:a')
    t.match(stored, { key: 'client:a', text: '{"n":1}' })
    const version = stored?.version ?? -1
    const change = (expect: number, text?: string) =>
      records.commit({
        writes: [{ key: 'client:a', expect, ...(text === undefined ? {} : { text }) }],
        audit: entry('y')
      })
    t.equal(await change(0, '{"n":2}'), 'conflict', 'it exists')
    t.equal(await change(version + 1, '{"n":2}'), 'conflict', 'another version')
    t.not(await change(version, '{"n":2}'), 'conflict')
    t.equal(await change(version, '{"n":3}'), 'conflict', 'changed meanwhile')
    const now = await records.get('client:a')
    t.equal(now?.text, '{"n":2}')
    t.not(await change(now?.version ?? -1), 'conflict')
    t.equal(await records.get('client:a'), undefined)
    t.not(await change(0, 'again'), 'conflict')
    const again = await records.get('client:a')
    t.ok((again?.version ?? 0) > (now?.version ?? 0), 'a version never comes twice, not even after a removal')
  })

  t.test('records: all writes of a change, or none', async t => {
    const { durable: records } = (await open(t, Date.now)).store
    await records.commit({ writes: [{ key: 'client:b', expect: 0, text: 'b' }], audit: entry('x') })
    const head = await records.auditHead()
    const both = await records.commit({
      writes: [
        { key: 'client:a', expect: 0, text: 'a' },
        { key: 'client:b', expect: 0, text: 'changed' }
      ],
      audit: entry('y')
    })
    t.equal(both, 'conflict')
    t.equal(await records.get('client:a'), undefined)
    t.equal((await records.get('client:b'))?.text, 'b')
    t.same(await records.auditHead(), head, 'no audit entry either')
  })

  t.test('records: lists of one kind, in order, page by page', async t => {
    const { durable: records } = (await open(t, Date.now)).store
    for (const id of ['b', 'a', 'c.1', 'c', 'C', 'z']) {
      await records.commit({ writes: [{ key: `client:${id}`, expect: 0, text: id }], audit: entry(id) })
    }
    await records.commit({ writes: [{ key: 'clientele:a', expect: 0, text: 'no' }], audit: entry('other kind') })
    await records.commit({ writes: [{ key: 'aaa:a', expect: 0, text: 'no' }], audit: entry('other kind') })
    const ids = (rows: readonly { text: string }[]) => rows.map(({ text }) => text)
    t.same(ids(await records.list('client', '', 10)), ['C', 'a', 'b', 'c', 'c.1', 'z'])
    t.same(ids(await records.list('client', '', 2)), ['C', 'a'])
    t.same(ids(await records.list('client', 'a', 3)), ['b', 'c', 'c.1'])
    t.same(ids(await records.list('client', 'bb', 2)), ['c', 'c.1'], 'after an id that is not there')
    t.same(ids(await records.list('client', 'z', 2)), [])
    t.same(ids(await records.list('license', '', 2)), [])
  })

  t.test('audit: every change has its entry, chained in the same transaction, from any instance', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    t.same(await store.durable.auditHead(), { seq: 0, hash: '' })
    const each = async (records: typeof store.durable, name: string) =>
      records.commit({ writes: [{ key: `client:${name}`, expect: 0, text: name }], audit: entry(name) })
    t.equal(await each(store.durable, 'a'), 1)
    t.equal(await each(second.durable, 'b'), 2)
    t.equal(await each(store.durable, 'c'), 3, 'the log moved on meanwhile')
    t.same(await second.durable.auditAfter(0, 10), [
      { seq: 1, text: 'a after 0/' },
      { seq: 2, text: 'b after 1/h1' },
      { seq: 3, text: 'c after 2/h2' }
    ])
    t.same(await store.durable.auditAfter(1, 1), [{ seq: 2, text: 'b after 1/h1' }])
    t.same(await store.durable.auditAfter(3, 10), [])
  })

  t.test('audit: many changes at once make one unbroken chain', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    const many = Array.from({ length: 40 }, (_, i) =>
      (i % 2 === 0 ? store : second).durable.commit({
        writes: [{ key: `client:${i}`, expect: 0, text: `${i}` }],
        audit: entry(`${i}`)
      })
    )
    const numbers = (await Promise.all(many)).map(Number).sort((a, b) => a - b)
    t.same(
      numbers,
      Array.from({ length: 40 }, (_, i) => i + 1)
    )
    for (const { seq, text } of await store.durable.auditAfter(1, 100)) t.match(text, `after ${seq - 1}/h${seq - 1}`)
  })

  t.test('records: of many that race for one version exactly one wins', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    const race = Array.from({ length: 16 }, (_, i) =>
      (i % 2 === 0 ? store : second).durable.commit({
        writes: [{ key: 'license:one', expect: 0, text: `${i}` }],
        audit: entry(`${i}`)
      })
    )
    const winners = (await Promise.all(race)).filter(result => result !== 'conflict')
    t.equal(winners.length, 1)
  })

  t.test('topics: what changed since, once each, and a signal to every instance', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    const signalled = new Promise<void>(resolve => second.durable.onChange(resolve))
    const change = (event?: ChangeEvent) =>
      store.durable.commit({ writes: [], audit: entry('x'), ...(event === undefined ? {} : { event }) })
    await change({ kind: 'client', id: 'a' })
    await change({ kind: 'client', id: 'b' })
    await change()
    await change({ kind: 'client', id: 'a' })
    t.same(await second.durable.changesAfter(0, 10), [
      { event: { kind: 'client', id: 'b' }, seq: 2 },
      { event: { kind: 'client', id: 'a' }, seq: 4 }
    ])
    t.same(await second.durable.changesAfter(2, 10), [{ event: { kind: 'client', id: 'a' }, seq: 4 }])
    t.same(await second.durable.changesAfter(4, 10), [])
    t.same((await second.durable.changesAfter(0, 1)).length, 1)
    // A signal may come before the listener; another change brings another one.
    await change({ kind: 'client', id: 'c' })
    await signalled
  })

  t.test('challenges: taken once, by one of many', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    await store.challenges.put('token', 'ws:1', 60_000)
    const takers = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? store : second).challenges.consume('token'))
    const taken = (await Promise.all(takers)).filter(binding => binding !== undefined)
    t.same(taken, ['ws:1'])
    t.equal(await store.challenges.consume('token'), undefined)
    t.equal(await store.challenges.consume('unknown'), undefined)
  })

  t.test('challenges: gone when their life is over', async t => {
    const clock = createClock(Date.now())
    const { store } = await open(t, clock.now)
    await store.challenges.put('short', 'ws:1', 1)
    await store.challenges.put('long', 'ws:1', 60_000)
    clock.advance(2)
    // Redis has a clock of its own: ask it until its millisecond is over.
    const deadline = Date.now() + 2
    while (Date.now() <= deadline) await store.ping()
    t.equal(await store.challenges.consume('short'), undefined)
    t.equal(await store.challenges.consume('long'), 'ws:1')
  })

  t.test('sessions: opened, seen, ended, from any instance', async t => {
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
    t.equal((await sessions.get('s1'))?.deadline, 2000, 'a deadline never goes back')
    t.equal(await sessions.get('unknown'), undefined)
    t.equal(await sessions.count(), 1)
    t.equal(await sessions.end('s1'), true)
    t.equal(await store.sessions.end('s1'), false)
    t.equal(await store.sessions.get('s1'), undefined)
    t.same(await store.sessions.list('', 10), [])
    t.equal(await store.sessions.count(), 0)
  })

  t.test('sessions: a hundred thousand signs of life in one call', async t => {
    const { sessions } = (await open(t, Date.now)).store
    await sessions.open(session('last'), 1)
    const many = Array.from({ length: 100_000 }, (_, i) => ({ sessionId: `unknown-${i}`, deadline: 5000 }))
    await sessions.touch([...many, { sessionId: 'last', deadline: 5000 }])
    t.equal((await sessions.get('last'))?.deadline, 5000)
    t.equal(await sessions.count(), 1)
  })

  t.test('sessions: a bound for each client, and lists', async t => {
    const { sessions } = (await open(t, Date.now)).store
    t.equal(await sessions.open(session('s1'), 2), true)
    t.equal(await sessions.open(session('s3'), 2), true)
    t.equal(await sessions.open(session('s4'), 2), false, 'enough')
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
    t.equal(await sessions.open(session('s4'), 2), true, 'room again')
  })

  t.test('sessions: the dead are handed to exactly one', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    for (let i = 0; i < 20; i++) await store.sessions.open(session(`s${i}`, { deadline: i < 15 ? 1000 + i : 5000 }), 99)
    t.same(await store.sessions.reap(999, 100, 500), [], 'not yet')
    t.equal((await store.sessions.reap(1000, 100, 9000)).length, 1, 'exactly at its deadline')
    const both = await Promise.all([store.sessions.reap(2000, 9, 500), second.sessions.reap(2000, 9, 500)])
    const reaped = both.flat().map(({ sessionId }) => sessionId)
    t.equal(new Set(reaped).size, 14)
    t.equal(reaped.length, 14)
    t.equal(both[0].length <= 9 && both[1].length <= 9, true, 'at most as many as asked for')
    t.same(await store.sessions.reap(2499, 99, 500), [], 'leased')
    const again = await store.sessions.reap(2500, 99, 500)
    t.equal(again.length, 14, 'whoever had them has not ended them')
    for (const { sessionId } of again) t.equal(await store.sessions.end(sessionId), true)
    t.equal(await store.sessions.count(), 6)
    t.equal((await store.sessions.list('', 99, 'c')).length, 6)
  })

  t.test('seats: as many as there are, kept, given back', async t => {
    const { store, another } = await open(t, Date.now)
    const { licenseSlots: seats } = await another()
    const far = Date.now() + 60_000
    t.equal(await store.licenseSlots.acquire('l', 's1', 2, far, 0), true)
    t.equal(await seats.acquire('l', 's2', 2, far, 0), true)
    t.equal(await seats.acquire('l', 's3', 2, far, 0), false)
    t.equal(await seats.acquire('l', 's1', 2, far, 0), true, 'who sits keeps the seat')
    t.equal(await seats.acquire('l', 's1', 1, far, 0), true, 'also where there are fewer now')
    t.equal(await seats.acquire('other', 's3', 1, far, 0), true)
    await store.licenseSlots.release('l', 's1')
    t.equal(await seats.acquire('l', 's3', 2, far, 0), true)
    await store.licenseSlots.releaseAll('s3')
    t.equal(await seats.acquire('other', 's4', 1, far, 0), true)
    t.equal(await seats.acquire('l', 's4', 2, far, 0), true)
    await store.licenseSlots.releaseAll('nobody')
  })

  t.test('seats: end by themselves', async t => {
    const { licenseSlots: seats } = (await open(t, Date.now)).store
    const now = Date.now()
    t.equal(await seats.acquire('l', 's1', 1, now + 50_000, now), true)
    t.equal(await seats.acquire('l', 's2', 1, now + 90_000, now + 49_999), false)
    t.equal(await seats.acquire('l', 's2', 1, now + 90_000, now + 50_000), true)
  })

  t.test("bug: seats ended at once where the caller's clock is far behind the store's", async t => {
    const { licenseSlots: seats } = (await open(t, Date.now)).store
    const now = Date.parse('2020-01-01T00:00:00Z')
    t.equal(await seats.acquire('l', 's1', 1, now + 50_000, now), true)
    t.equal(await seats.acquire('l', 's2', 1, now + 50_000, now), false)
  })

  t.test('seats: eight race for one, exactly one gets it', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    const far = Date.now() + 60_000
    const race = Array.from({ length: 8 }, (_, i) =>
      (i % 2 === 0 ? store : second).licenseSlots.acquire('l', `s${i}`, 1, far, 0)
    )
    t.equal((await Promise.all(race)).filter(seated => seated).length, 1)
  })

  t.test('tickets: kept until they end', async t => {
    const clock = createClock(Date.now())
    const { store, another } = await open(t, clock.now)
    const { tickets } = await another()
    await store.tickets.put('t1', 'text', 60_000)
    await store.tickets.put('t2', 'text', 1)
    t.equal(await tickets.get('t1'), 'text')
    await tickets.put('t1', 'changed', 60_000)
    t.equal(await store.tickets.get('t1'), 'changed')
    clock.advance(2)
    const end = Date.now() + 2
    while (Date.now() <= end) await store.ping()
    t.equal(await tickets.get('t2'), undefined)
  })

  t.test('limits: as many as allowed, counted by all instances together, and none lost to looking', async t => {
    const { store, another } = await open(t, Date.now)
    const { rateLimits: limits } = await another()
    for (let i = 0; i < 6; i++) {
      t.equal(await store.rateLimits.consume('a', 0, 6), 0, 'looking costs nothing')
      t.equal(await (i % 2 === 0 ? limits : store.rateLimits).consume('a', 1, 6), 0)
    }
    for (const cost of [0, 1]) {
      const wait = await limits.consume('a', cost, 6)
      t.ok(wait > 0 && wait <= 10_000, `the next one in ${wait} ms`)
    }
    t.equal(await limits.consume('b', 6, 6), 0, 'another name')
    t.ok((await limits.consume('b', 6, 6)) > 50_000)
    const race = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? limits : store.rateLimits).consume('c', 1, 8))
    t.equal((await Promise.all(race)).filter(wait => wait === 0).length, 8)
  })
}
