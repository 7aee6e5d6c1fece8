import t from 'tap'
import { findExcess } from '../../src/auth/capabilities.js'

const limits = { subscribe: ['match:*'], publish: ['*'], services: ['s*'], call: ['game/k*'], presence: ['match:*'] }

t.test('finds the first pattern that exceeds the limits', async t => {
  t.equal(findExcess(limits, {}), undefined)
  t.equal(findExcess(limits, { subscribe: ['match:1'], publish: ['a'], services: ['s'] }), undefined)
  t.same(findExcess(limits, { subscribe: ['match:1', '*'] }), { name: 'subscribe', pattern: '*' })
  t.same(findExcess(limits, { services: ['t'] }), { name: 'services', pattern: 't' })
  t.equal(findExcess(limits, { call: ['game/kick', 'game/k*'], presence: ['match:1'] }), undefined)
  t.same(findExcess(limits, { call: ['game/*'] }), { name: 'call', pattern: 'game/*' })
  t.same(findExcess(limits, { presence: ['*'] }), { name: 'presence', pattern: '*' })
})

t.test('compares channels with their reserved prefixes, and services without', async t => {
  t.same(findExcess(limits, { publish: ['client:*'] }), { name: 'publish', pattern: 'client:*' })
  t.equal(findExcess({ ...limits, services: ['*'] }, { services: ['session'] }), undefined)
})
