import t from 'tap'
import { type LicenseSlotOwner, StoredLicenseSlots, TrackedLicenseSlots } from '../../src/session/license-slots.js'
import type { LicenseSlotStore, SlotOutcome } from '../../src/store/store.js'

function fakeStore(outcome: SlotOutcome = 'acquired') {
  const calls: string[] = []
  const store: LicenseSlotStore = {
    async acquire(licenseId, sessionId, max, endsAt, now) {
      calls.push(`acquire ${licenseId} ${sessionId} ${max} ${endsAt} ${now}`)
      return outcome
    },
    async release(licenseId, sessionId) {
      calls.push(`release ${licenseId} ${sessionId}`)
    },
    async releaseAll(sessionId) {
      calls.push(`releaseAll ${sessionId}`)
    }
  }
  return { store, calls }
}

const owner: LicenseSlotOwner = { sessionId: 's', endsAt: 9, hasEnded: () => false, now: () => 1 }

t.test('tracked slots ask the store only about slots that the session holds', async t => {
  const { store, calls } = fakeStore()
  const slots = new TrackedLicenseSlots(store, owner)
  await slots.releaseAll()
  await slots.release('l')
  t.same(calls, [])
  t.equal(await slots.acquire({ licenseId: 'l', maxSessions: 2 }), true)
  await slots.release('l')
  await slots.release('l')
  await slots.acquire({ licenseId: 'm' })
  await slots.releaseAll()
  await slots.releaseAll()
  t.same(calls, ['acquire l s 2 9 1', 'release l s', `acquire m s ${Number.MAX_SAFE_INTEGER} 9 1`, 'releaseAll s'])
})

t.test('a refused slot is not held', async t => {
  const { store, calls } = fakeStore('licenseFull')
  const slots = new TrackedLicenseSlots(store, owner)
  t.equal(await slots.acquire({ licenseId: 'l', maxSessions: 1 }), false)
  await slots.releaseAll()
  t.same(calls, ['acquire l s 1 9 1'])
})

t.test('a slot that is acquired while the session ends is released', async t => {
  for (const Slots of [TrackedLicenseSlots, StoredLicenseSlots]) {
    const { store, calls } = fakeStore()
    await new Slots(store, { ...owner, hasEnded: () => true }).acquire({ licenseId: 'l', maxSessions: 1 })
    t.same(calls, ['acquire l s 1 9 1', 'release l s'])
  }
})

t.test('a session that holds as many slots as it may uses unlimited licenses only', async t => {
  for (const Slots of [TrackedLicenseSlots, StoredLicenseSlots]) {
    const slots = new Slots(fakeStore('sessionFull').store, owner)
    t.equal(await slots.acquire({ licenseId: 'unlimited' }), true)
    await t.rejects(slots.acquire({ licenseId: 'one more', maxSessions: 1 }), { code: 'RATE_LIMITED' })
  }
})

t.test('stored slots always ask the store', async t => {
  const { store, calls } = fakeStore()
  const slots = new StoredLicenseSlots(store, owner)
  await slots.acquire({ licenseId: 'l', maxSessions: 1 })
  await slots.release('other')
  await slots.releaseAll()
  t.same(calls, ['acquire l s 1 9 1', 'release other s', 'releaseAll s'])
})
