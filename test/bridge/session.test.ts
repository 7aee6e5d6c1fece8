import t from 'tap'
import { PolledCalls } from '../../src/bridge/polled-calls.js'
import { BridgeSession } from '../../src/bridge/session.js'
import { type Store, StoreUnavailable } from '../../src/store/store.js'
import { createTestDependencies } from '../helper/dependencies.js'
import { keys, peer } from '../session/parts.js'

t.test('bug: a narrowing that failed undid a narrower one that had followed', async t => {
  const dependencies = await createTestDependencies(t)
  const { store } = dependencies
  const position = { epoch: 'e', offset: 1 }
  const positions = new Map(['kept', 'lost'].map(channel => [channel, position]))
  await store.bridge.open({ sessionId: peer.sessionId, info: 'info', positions, challengeAt: Number.MAX_SAFE_INTEGER })
  let fail = () => {}
  let reads = 0
  const read: Store['bridge']['read'] = (...all) =>
    ++reads > 1
      ? store.bridge.read(...all)
      : new Promise((_, reject) => {
          fail = () => reject(new StoreUnavailable())
        })
  const bridge = Object.create(store.bridge, { read: { value: read } })
  const session = new BridgeSession(
    { ...dependencies, store: { ...store, bridge } },
    {
      peer: { ...peer, capabilities: { ...peer.capabilities, subscribe: ['*'] } },
      ...{ keys, openedAt: 0, expiresAt: Number.MAX_SAFE_INTEGER, lastSeenAt: 0 },
      calls: new PolledCalls(dependencies, async () => undefined)
    },
    () => {}
  )
  const narrow = (subscribe: string[]) => session.narrowCapabilities({ ...peer.capabilities, subscribe })
  const first = narrow(['kept', 'lost'])
  const second = narrow(['kept'])
  fail()
  await t.rejects(first, { name: 'StoreUnavailable' })
  await second
  t.same(session.peer.capabilities.subscribe, ['kept'])
  const state = await store.bridge.read(peer.sessionId, 1)
  t.same([...(state?.positions.keys() ?? [])], ['kept'])
})
