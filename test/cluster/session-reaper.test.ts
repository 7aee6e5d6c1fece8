import t from 'tap'
import { SessionReaper } from '../../src/cluster/session-reaper.js'
import { SessionRegistry } from '../../src/session/session-registry.js'
import type { SessionEntry } from '../../src/store/store.js'
import { fakeSession, fakeSource } from '../session/parts.js'

function entry(sessionId: string, transport: 'ws' | 'bridge'): SessionEntry {
  return {
    ...{ sessionId, transport, clientId: 'c', keyId: 'k', instanceId: 'gone', remoteAddress: '::1', attributes: {} },
    ...{ openedAt: 0, expiresAt: 9, deadline: 1 }
  }
}

function start(overdue: readonly SessionEntry[], isGracePeriod = () => false) {
  const registry = new SessionRegistry()
  const ws = fakeSource('ws', [fakeSession('here', 'c')])
  const state = { stale: 0 }
  registry.addSource(ws)
  const reaper = new SessionReaper({
    registry,
    sessions: { reap: async () => overdue },
    now: () => 5,
    isGracePeriod,
    onStaleEntry: () => void state.stale++
  })
  return { registry, reaper, ws, state }
}

t.test('expires each overdue session through the source of its transport', async t => {
  const { registry, reaper, ws, state } = start([entry('a', 'ws'), entry('b', 'bridge')])
  const bridge = fakeSource('bridge', [])
  registry.addSource(bridge)
  await reaper.reap()
  t.same([ws.calls, bridge.calls], [['expire a'], ['expire b']])
  t.equal(state.stale, 0)
})

t.test('reports a stale entry of a session that is served here', async t => {
  const { reaper, state } = start([entry('here', 'ws'), entry('a', 'ws')])
  await reaper.reap()
  t.equal(state.stale, 1)
})

t.test('leaves sessions of unknown transports to other instances', async t => {
  const { reaper, ws, state } = start([entry('b', 'bridge')])
  await reaper.reap()
  t.same(ws.calls, [])
  t.equal(state.stale, 0)
})

t.test('reaps nothing in the time after a pause of this process', async t => {
  const state = { isGracePeriod: true }
  const { reaper, ws } = start([entry('a', 'ws')], () => state.isGracePeriod)
  await reaper.reap()
  t.same(ws.calls, [])
  state.isGracePeriod = false
  await reaper.reap()
  t.same(ws.calls, ['expire a'])
})
