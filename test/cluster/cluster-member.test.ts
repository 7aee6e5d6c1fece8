import t, { type Test } from 'tap'
import { ClusterMember } from '../../src/cluster/cluster-member.js'
import { createPresenceTracker } from '../../src/cluster/presence.js'
import { SessionRegistry } from '../../src/session/session-registry.js'
import { StoreUnavailable } from '../../src/store/store.js'
import { createTestDependencies } from '../helper/dependencies.js'
import { type FakeSource, fakeSession, fakeSource } from '../session/parts.js'

async function start(t: Test, sources: readonly FakeSource[]) {
  const dependencies = await createTestDependencies(t)
  const { store, now } = dependencies
  const sessions = new SessionRegistry()
  for (const source of sources) sessions.addSource(source)
  const presence = createPresenceTracker({ store, patterns: ['*'], lifeMs: 60_000, now })
  const member = new ClusterMember(dependencies, sessions, presence)
  await member.start()
  t.teardown(() => member.stop())
  return { member, presence, dependencies }
}

t.test('a tick reaches every source, and writes presence', async t => {
  const ws = fakeSource('ws', [fakeSession('s', 'c')])
  const bridge = fakeSource('bridge', [])
  const { member, presence, dependencies } = await start(t, [ws, bridge])
  await member.tick()
  t.same([ws.calls, bridge.calls], [['tick'], ['tick']])
  presence.joined(fakeSession('s', 'c').peer, 'd')
  await member.stop()
  const { store, now } = dependencies
  t.equal(await store.presence.count('d', now()), 1)
})

t.test('a source that is still busy is not called again, and holds up no other', async t => {
  let finish = () => {}
  const busy = { ...fakeSource('bridge', []), ticks: 0 }
  const ws = fakeSource('ws', [])
  busy.tick = () => {
    busy.ticks++
    return new Promise<void>(resolve => {
      finish = resolve
    })
  }
  const { member } = await start(t, [busy, ws])
  const first = member.tick()
  await new Promise(resolve => setImmediate(resolve))
  const second = member.tick()
  t.equal(busy.ticks, 1)
  t.same(ws.calls, ['tick', 'tick'])
  finish()
  await Promise.all([first, second])
  const third = member.tick()
  t.equal(busy.ticks, 2)
  finish()
  await third
})

t.test('a tick survives a store that does not answer', async t => {
  const failing = fakeSource('bridge', [])
  failing.tick = () => Promise.reject(new StoreUnavailable())
  const { member } = await start(t, [failing])
  await t.resolves(member.tick())
})
