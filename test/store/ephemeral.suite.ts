import type { Test } from 'tap'
import { maxLicenseSlotsPerSession } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import type { OpenStoreForTest } from '../helper/stores.js'

/** `l0`, `l1`, …, in batches for concurrent calls. */
function* batchesOf(count: number): Iterable<string[]> {
  for (let i = 0; i < count; i += 1000) yield Array.from({ length: Math.min(1000, count - i) }, (_, j) => `l${i + j}`)
}

/** Challenges, license slots, tickets and rates, on each store. */
export function ephemeralSuite(t: Test, open: OpenStoreForTest): void {
  t.test('challenges: one of many concurrent calls uses a challenge', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    const fence = await store.challenges.fence()
    t.equal(await second.challenges.fence(), fence, 'all instances have one fence')
    const attempts = Array.from({ length: 50 }, (_, i) =>
      (i % 2 === 0 ? store : second).challenges.use('token', fence, 60_000)
    )
    t.equal((await Promise.all(attempts)).filter(used => used).length, 1)
    t.equal(await store.challenges.use('token', fence, 60_000), false)
    t.equal(await store.challenges.use('other', 'another fence', 60_000), false)
    t.equal(await store.challenges.use('other', fence, 60_000), true)
  })

  t.test('challenges: their marks end with their life', async t => {
    const clock = createClock(Date.now())
    const { store } = await open(t, clock.now)
    const fence = await store.challenges.fence()
    await store.challenges.use('short', fence, 1)
    await store.challenges.use('long', fence, 60_000)
    clock.advance(2)
    // Redis has its own clock: wait for its next millisecond.
    const deadline = Date.now() + 2
    while (Date.now() <= deadline) await store.ping()
    t.equal(await store.challenges.use('short', fence, 60_000), true)
    t.equal(await store.challenges.use('long', fence, 60_000), false)
  })

  t.test('license slots: acquires up to the limit, keeps, and releases', async t => {
    const { store, another } = await open(t, Date.now)
    const { licenseSlots: slots } = await another()
    const far = Date.now() + 60_000
    t.equal(await store.licenseSlots.acquire('l', 's1', 2, far, 0), 'acquired')
    t.equal(await slots.acquire('l', 's2', 2, far, 0), 'acquired')
    t.equal(await slots.acquire('l', 's3', 2, far, 0), 'licenseFull')
    t.equal(await slots.acquire('l', 's1', 2, far, 0), 'acquired', 'a session keeps its slot')
    t.equal(await slots.acquire('l', 's1', 1, far, 0), 'acquired', 'even if the limit is lower now')
    t.equal(await slots.acquire('other', 's3', 1, far, 0), 'acquired')
    await store.licenseSlots.release('l', 's1')
    t.equal(await slots.acquire('l', 's3', 2, far, 0), 'acquired')
    await store.licenseSlots.releaseAll('s3')
    t.equal(await slots.acquire('other', 's4', 1, far, 0), 'acquired')
    t.equal(await slots.acquire('l', 's4', 2, far, 0), 'acquired')
    await store.licenseSlots.releaseAll('nobody')
  })

  t.test('license slots: expire', async t => {
    const { licenseSlots: slots } = (await open(t, Date.now)).store
    const now = Date.now()
    t.equal(await slots.acquire('l', 's1', 1, now + 50_000, now), 'acquired')
    t.equal(await slots.acquire('l', 's2', 1, now + 90_000, now + 49_999), 'licenseFull')
    t.equal(await slots.acquire('l', 's2', 1, now + 90_000, now + 50_000), 'acquired')
  })

  t.test("bug: license slots ended at once if the caller's clock was far behind the store's", async t => {
    const { licenseSlots: slots } = (await open(t, Date.now)).store
    const now = Date.parse('2020-01-01T00:00:00Z')
    t.equal(await slots.acquire('l', 's1', 1, now + 50_000, now), 'acquired')
    t.equal(await slots.acquire('l', 's2', 1, now + 50_000, now), 'licenseFull')
  })

  t.test('license slots: one of eight concurrent sessions acquires the last slot', async t => {
    const { store, another } = await open(t, Date.now)
    const second = await another()
    const far = Date.now() + 60_000
    const race = Array.from({ length: 8 }, (_, i) =>
      (i % 2 === 0 ? store : second).licenseSlots.acquire('l', `s${i}`, 1, far, 0)
    )
    t.equal((await Promise.all(race)).filter(outcome => outcome === 'acquired').length, 1)
  })

  t.test('bug: the bridge had no bound of license slots per session', async t => {
    const { store, another } = await open(t, Date.now)
    const { licenseSlots: slots } = await another()
    const far = Date.now() + 60_000
    const acquire = (licenseId: string) => slots.acquire(licenseId, 's', 1, far, 0)
    for (const ids of batchesOf(maxLicenseSlotsPerSession)) await Promise.all(ids.map(acquire))
    t.equal(await acquire('one more'), 'sessionFull')
    t.equal(await store.licenseSlots.acquire('one more', 'other', 1, far, 0), 'acquired', 'it took no slot')
    t.equal(await acquire('l0'), 'acquired', 'a session keeps its slot')
    await store.licenseSlots.release('l0', 's')
    t.equal(await acquire('another'), 'acquired')
    await slots.releaseAll('s')
    t.equal(await acquire('l1'), 'acquired')
  })

  t.test('bug: licenses that refused a slot were kept for the session', async t => {
    const { licenseSlots: slots } = (await open(t, Date.now)).store
    const far = Date.now() + 60_000
    for (const ids of batchesOf(maxLicenseSlotsPerSession)) {
      const outcomes = await Promise.all(ids.map(id => slots.acquire(id, 's', 0, far, 0)))
      t.ok(outcomes.every(outcome => outcome === 'licenseFull'))
    }
    t.equal(await slots.acquire('l', 's', 1, far, 0), 'acquired', 'they do not count')
  })

  t.test('tickets: keeps a ticket until its end', async t => {
    const clock = createClock(Date.now())
    const { store, another } = await open(t, clock.now)
    const { tickets } = await another()
    await store.tickets.put('t1', 'text', 60_000, 'a')
    await store.tickets.put('t2', 'text', 1, 'a')
    t.equal(await tickets.get('t1'), 'text')
    await tickets.put('t1', 'changed', 60_000, 'a')
    t.equal(await store.tickets.get('t1'), 'changed')
    clock.advance(2)
    const end = Date.now() + 2
    while (Date.now() <= end) await store.ping()
    t.equal(await tickets.get('t2'), undefined)
  })

  t.test('tickets: lists every live ticket, in bounded pages', async t => {
    const clock = createClock(Date.now())
    const { store, another } = await open(t, clock.now)
    const { tickets } = await another()
    const keyIds = Array.from({ length: 700 }, (_, i) => `tkt_${i}`)
    await Promise.all(keyIds.map(keyId => store.tickets.put(keyId, `text of ${keyId}`, 60_000, 'a')))
    await store.tickets.put('tkt_0', 'changed', 60_000, 'a')
    const found = new Map<string, string>()
    let pages = 0
    for (let after: string | undefined = ''; after !== undefined; pages++) {
      const page: Awaited<ReturnType<typeof tickets.list>> = await tickets.list(after, 100)
      t.ok(page.items.length < 200, 'about 100')
      for (const { keyId, text } of page.items) found.set(keyId, text)
      after = page.next
    }
    t.ok(pages >= 4)
    t.same([...found.keys()].sort(), [...keyIds].sort())
    t.equal(found.get('tkt_0'), 'changed')
    t.equal(found.get('tkt_1'), 'text of tkt_1')
  })

  t.test('tickets: replaces a text only if it is unchanged, and keeps its end', async t => {
    const clock = createClock(Date.now())
    const { store, another } = await open(t, clock.now)
    const { tickets } = await another()
    await store.tickets.put('t1', 'old', 200, 'a')
    t.equal(await tickets.replace('t1', 'old', 'new'), true)
    t.equal(await tickets.replace('t1', 'old', 'newer'), false)
    t.equal(await tickets.replace('none', 'old', 'new'), false)
    t.equal(await store.tickets.get('t1'), 'new')
    clock.advance(201)
    const end = Date.now() + 201
    while (Date.now() <= end) await store.ping()
    t.equal(await tickets.get('t1'), undefined)
    t.same((await tickets.list('', 10)).items, [])
  })

  t.test('rates: all instances share a rate, and checking costs nothing', async t => {
    const { store, another } = await open(t, Date.now)
    const { rateLimits: limits } = await another()
    for (let i = 0; i < 6; i++) {
      t.equal(await store.rateLimits.consume('a', 0, 6), 0, 'checking costs nothing')
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
