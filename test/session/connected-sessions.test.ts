import t, { type Test } from 'tap'
import { ConnectedSessions, reapGraceMs } from '../../src/session/connected-sessions.js'
import { Session } from '../../src/session/session.js'
import { createTestDependencies } from '../helper/dependencies.js'
import { keys, peer, stuckTransport } from './parts.js'

async function start(t: Test) {
  const dependencies = await createTestDependencies(t)
  const sessions = new ConnectedSessions(dependencies)
  const expiresAt = dependencies.now() + 1_000_000
  const open = (sessionId: string) => {
    const authenticated = { peer: { ...peer, sessionId }, keys, expiresAt }
    return new Session(dependencies, stuckTransport(0, 0).transport, authenticated, ended => sessions.remove(ended))
  }
  return { dependencies, sessions, open, store: dependencies.store }
}

t.test('registers a session in the store, and unregisters it when it ends', async t => {
  const { dependencies, sessions, open, store } = await start(t)
  const session = open('s1')
  t.equal(await sessions.add(session), true)
  t.match(await store.sessions.get('s1'), {
    ...{ instanceId: 'i', transport: 'ws', clientId: 'c', deadline: dependencies.now() + 45_000 + reapGraceMs }
  })
  t.same([...sessions.ofClient('c')], [session])
  t.equal(sessions.revoke('s1'), true)
  await sessions.settled()
  t.equal(sessions.size, 0)
  t.equal(await store.sessions.get('s1'), undefined)
  t.equal(sessions.revoke('s1'), false)
})

t.test('refuses a session above the limit of its client', async t => {
  const { dependencies, sessions, open } = await start(t)
  const { maxSessionsPerClient } = dependencies.settings
  for (let i = 0; i < maxSessionsPerClient; i++) await sessions.add(open(`s${i}`))
  t.equal(await sessions.add(open('one more')), false)
  t.equal(sessions.size, maxSessionsPerClient)
})

t.test('does not keep a session that ended while the store was asked', async t => {
  const { sessions, open, store } = await start(t)
  const session = open('s1')
  const added = sessions.add(session)
  session.connectionLost()
  t.equal(await added, true)
  await sessions.settled()
  t.equal(sessions.size, 0)
  t.equal(await store.sessions.get('s1'), undefined)
})

t.test('expires sessions of other instances, and keeps its own', async t => {
  const { sessions, open, store } = await start(t)
  await sessions.add(open('own'))
  const own = await store.sessions.get('own')
  if (own === undefined) throw new Error('the session is not in the store')
  t.equal(await sessions.expire(own), true)
  t.ok(await store.sessions.get('own'))
  const other = { ...own, sessionId: 'other', instanceId: 'lost' }
  await store.sessions.open(other, 10)
  t.equal(await sessions.expire(other), false)
  t.equal(await store.sessions.get('other'), undefined)
})

t.test('leaves the sessions of another instance alone while that instance is alive', async t => {
  const { sessions, open, store } = await start(t)
  await sessions.add(open('own'))
  const own = await store.sessions.get('own')
  if (own === undefined) throw new Error('the session is not in the store')
  const other = { ...own, sessionId: 'other', instanceId: 'alive' }
  await store.sessions.open(other, 10)
  const stop = store.bridge.listen('alive', { notification() {}, mayHaveMissed() {} })
  t.equal(await sessions.expire(other), false)
  t.ok(await store.sessions.get('other'))
  stop()
  await sessions.expire(other)
  t.equal(await store.sessions.get('other'), undefined)
})

t.test('registers sessions again that the store lost', async t => {
  const { sessions, open, store } = await start(t)
  await sessions.add(open('s1'))
  await store.sessions.end('s1')
  await sessions.reregister()
  t.match(await store.sessions.get('s1'), { sessionId: 's1' })
})
