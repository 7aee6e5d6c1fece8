import t from 'tap'
import { validate } from '../../src/session/handlers/validate.js'
import { TrackedLicenseSlots } from '../../src/session/license-slots.js'
import { maxLicenseSlotsPerSession } from '../../src/store/store.js'
import { createTestDependencies } from '../helper/dependencies.js'
import { peer } from './parts.js'

t.test('limits the license slots of a session; unlimited licenses need none', async t => {
  const dependencies = await createTestDependencies(t)
  await dependencies.registry.licenses.create({ serviceId: 's', key: 'free' }, 'admin')
  await dependencies.registry.licenses.create({ serviceId: 's', key: 'counted', maxSessions: 5 }, 'admin')
  const licenseSlots = new TrackedLicenseSlots(dependencies.store.licenseSlots, {
    ...{ sessionId: peer.sessionId, endsAt: Infinity, hasEnded: () => false, now: dependencies.now }
  })
  for (let i = 0; i < maxLicenseSlotsPerSession; i++) await licenseSlots.acquire({ licenseId: `lic_${i}` })
  const context = {
    dependencies,
    peer,
    licenseSlots,
    answerChallenge: () => false,
    listBytes: () => 0,
    changeAttributes() {},
    calls: { make() {}, answer: async () => false },
    subscriptions: { count: 0, has: () => false, join: () => Promise.reject(new Error()), leave() {} },
    mayRunAgain: false
  }
  const ask = async (key: string) => validate(context, { type: 'validate', seq: 2, serviceId: 's', hwid: 'h', key })
  t.match(await ask('free'), { code: 'VALID' })
  await t.rejects(ask('counted'), { code: 'RATE_LIMITED' })
})
