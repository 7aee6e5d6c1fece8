import t, { type Test } from 'tap'
import { RevocationWatcher } from '../../src/cluster/revocation-watcher.js'
import { SessionRegistry } from '../../src/session/session-registry.js'
import { createTestDependencies } from '../helper/dependencies.js'
import { fakeSession, fakeSource } from '../session/parts.js'

/** A watcher over a real registry, with a session of client `c` and one of another client. */
async function start(t: Test) {
  const { store, registry, log, boundedLog, now } = await createTestDependencies(t)
  const { keyId } = await registry.clients.create({ clientId: 'c', subscribe: ['a', 'b'], services: [] }, 'admin')
  const session = fakeSession('s1', 'c', ['a', 'b'])
  session.peer = { ...session.peer, keyId }
  const bystander = fakeSession('s2', 'other')
  const sessions = new SessionRegistry()
  sessions.addSource(fakeSource('ws', [session, bystander]))
  const state = { rewinds: 0 }
  const watcher = new RevocationWatcher({
    ...{ durable: store.durable, registry, sessions, log, boundedLog, now },
    onRewound: () => void state.rewinds++
  })
  t.teardown(() => watcher.stop())
  await watcher.check()
  return { store, registry, session, bystander, watcher, state, log, boundedLog, now, sessions, keyId }
}

t.test('the first check only notes where the log ends', async t => {
  const { session, bystander } = await start(t)
  t.same([session.ended, bystander.ended], [[], []])
})

t.test('narrows sessions of a client whose subscribe patterns were narrowed', async t => {
  const { registry, session, watcher } = await start(t)
  await registry.clients.update('c', { subscribe: ['a'] }, 'admin')
  await watcher.check()
  t.same(session.peer.capabilities.subscribe, ['a'])
  t.same(session.ended, [])
})

t.test('ends sessions of a client that was changed, suspended or deleted', async t => {
  for (const [change, code] of [
    [{ publish: ['x'] }, 'SESSION_EXPIRED'],
    [{ status: 'suspended' }, 'SESSION_REVOKED']
  ] as const) {
    const { registry, session, bystander, watcher } = await start(t)
    await registry.clients.update('c', change, 'admin')
    await watcher.check()
    t.same(session.ended, [code])
    t.same(bystander.ended, [])
  }
  const { registry, session, watcher } = await start(t)
  await registry.clients.remove('c', 'admin')
  await watcher.check()
  t.same(session.ended, ['SESSION_REVOKED'])
})

t.test('applies the new end of a rotated key', async t => {
  const { registry, session, watcher, now } = await start(t)
  await registry.clients.rotateKey('c', 60, false, 'admin')
  await watcher.check()
  t.equal(session.expiresAt, now() + 60_000)
  t.same(session.ended, [])
})

t.test('ends a revoked session', async t => {
  const { store, registry, session, bystander, watcher } = await start(t)
  await store.durable.commit({
    writes: [],
    audit: registry.audit.entry('admin', 'session.end', 'session:s2', {}),
    event: { kind: 'session', id: 's2' }
  })
  await watcher.check()
  t.same([session.ended, bystander.ended], [[], ['SESSION_REVOKED']])
})

t.test('a call during a check is followed by another check', async t => {
  const { registry, session, watcher } = await start(t)
  const first = watcher.check()
  await registry.clients.remove('c', 'admin')
  await Promise.all([first, watcher.check()])
  t.same(session.ended[0], 'SESSION_REVOKED')
})

t.test('revalidates every client when the store was rewound', async t => {
  const { store, registry, log, boundedLog, now } = await start(t)
  const session = fakeSession('s3', 'unknown client')
  const sessions = new SessionRegistry()
  sessions.addSource(fakeSource('ws', [session]))
  const state = { rewinds: 0, isRewound: false }
  const watcher = new RevocationWatcher({
    durable: {
      auditHead: () => store.durable.auditHead(),
      auditAfter: async (after, limit) => (state.isRewound ? [] : store.durable.auditAfter(after, limit)),
      changesAfter: (after, limit) => store.durable.changesAfter(after, limit),
      onChange: () => () => {}
    },
    ...{ registry, sessions, log, boundedLog, now },
    onRewound: () => void state.rewinds++
  })
  await watcher.check()
  await watcher.check()
  t.equal(state.rewinds, 0)
  state.isRewound = true
  await watcher.check()
  t.equal(state.rewinds, 1)
  t.same(session.ended, ['UNAVAILABLE'], 'the audit log has no deletion of its client')
})
