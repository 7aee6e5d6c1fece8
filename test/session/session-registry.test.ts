import t from 'tap'
import { SessionIndex } from '../../src/session/session-index.js'
import { SessionRegistry } from '../../src/session/session-registry.js'
import { type FakeSession, fakeSession, fakeSource } from './parts.js'

t.test('an index finds sessions by id and by client', async t => {
  const index = new SessionIndex<FakeSession>()
  const [a1, a2, b1] = [fakeSession('a1', 'a'), fakeSession('a2', 'a'), fakeSession('b1', 'b')]
  for (const session of [a1, a2, b1]) index.add(session)
  t.equal(index.size, 3)
  t.equal(index.get('a1'), a1)
  t.equal(index.has('c'), false)
  t.same([...index.ofClient('a')], [a1, a2])
  t.same([...index.ofClient('c')], [])
  index.delete(a1)
  index.delete(b1)
  index.delete(b1)
  t.same([...index.values()], [a2])
  t.same([...index.clientIds()], ['a'])
})

t.test('an index keeps a session that replaced a deleted one', async t => {
  const index = new SessionIndex<FakeSession>()
  const [old, replacement] = [fakeSession('a1', 'a'), fakeSession('a1', 'a')]
  index.add(old)
  index.add(replacement)
  index.delete(old)
  t.equal(index.get('a1'), replacement)
  t.same([...index.ofClient('a')], [replacement])
})

t.test('a registry joins the sources of all transports', async t => {
  const registry = new SessionRegistry()
  const ws = fakeSource('ws', [fakeSession('w1', 'a'), fakeSession('w2', 'b')])
  const bridge = fakeSource('bridge', [fakeSession('x1', 'a')])
  registry.addSource(ws)
  registry.addSource(bridge)
  t.equal(registry.sourceOf('bridge'), bridge)
  t.same(
    registry.ofClient('a').map(({ peer }) => peer.sessionId),
    ['w1', 'x1']
  )
  t.same([...registry.clientIds()].sort(), ['a', 'b'])
  t.same(
    [...registry.heartbeatsSince(0)].map(({ sessionId }) => sessionId),
    ['w1', 'w2', 'x1']
  )
  t.same([...registry.presenceSince(0)].length, 3)
  await registry.reregister()
  t.same([ws.calls, bridge.calls], [['reregister'], ['reregister']])
})

t.test('a registry accepts one source for each transport', async t => {
  const registry = new SessionRegistry()
  registry.addSource(fakeSource('ws', []))
  t.throws(() => registry.addSource(fakeSource('ws', [])), /ws/)
})

t.test('a revocation stops at the source that serves the session', async t => {
  const registry = new SessionRegistry()
  const session = fakeSession('w1', 'a')
  const bridge = fakeSource('bridge', [])
  registry.addSource(fakeSource('ws', [session]))
  registry.addSource(bridge)
  registry.revoke('w1')
  t.same(session.ended, ['SESSION_REVOKED'])
  t.same(bridge.calls, [])
  registry.revoke('unknown here')
  t.same(bridge.calls, ['revoke unknown here'])
})
