import t from 'tap'
import { decodeRecord, encodeRecord, type SessionRecord } from '../../src/bridge/session-record.js'
import { createTestDependencies } from '../helper/dependencies.js'

t.test('a stored session keeps whose ticket opened it; records of earlier versions have none', async t => {
  const { registry } = await createTestDependencies(t)
  const capabilities = { subscribe: ['a'], publish: ['b'], services: ['c'], call: ['d/e'], presence: ['f'] }
  const identity = { sessionId: 's', clientId: 'web-1', keyId: 'tkt_1', remoteAddress: '192.0.2.1' }
  const keys = { clientKey: Buffer.alloc(32, 1), serverKey: Buffer.alloc(32, 2) }
  const ofKey = { peer: { ...identity, capabilities, attributes: {} }, keys, openedAt: 1, expiresAt: 2 }
  const ofTicket = { ...ofKey, peer: { ...ofKey.peer, ticketOwner: 'tickets:tok_1' } }
  const again = (record: SessionRecord) => decodeRecord(registry, 's', encodeRecord(registry, record))
  t.same(again(ofTicket), ofTicket)
  t.same(again(ofKey), ofKey)
  t.equal(again(ofKey).peer.ticketOwner, undefined)
})

t.test('a stored session of a version without the capabilities call and presence has none of them', async t => {
  const { registry } = await createTestDependencies(t)
  const lists = { subscribe: ['a'], publish: [], services: [] }
  const earlier = {
    ...{ clientId: 'game-1', keyId: 'k', attributes: {}, remoteAddress: '192.0.2.1', openedAt: 1, expiresAt: 2 },
    ...{ ...lists, clientKey: '', serverKey: '' }
  }
  const { peer } = decodeRecord(registry, 's', registry.sealSession('s', JSON.stringify(earlier)))
  t.same(peer.capabilities, { ...lists, call: [], presence: [] })
})
