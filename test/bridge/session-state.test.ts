import t from 'tap'
import { SessionState } from '../../src/bridge/session-state.js'
import type { BridgeState, BridgeStore } from '../../src/store/bridge.js'

function stateOf(changes: Partial<BridgeState>): BridgeState {
  return {
    ...{ version: 1, received: 2, sent: 2, ack: 1, frames: [], positions: new Map(), claims: [] },
    ...{ challenge: { nextAt: 0 }, awaited: new Map() },
    ...changes
  }
}

t.test('bug: a reply that was read before another, and applied after it, brought acknowledged frames back', async t => {
  const stale = stateOf({ frames: ['frame 2'] })
  const store = { read: async () => stale } as Pick<BridgeStore, 'read'> as BridgeStore
  const state = new SessionState(store, 's', 1000)
  state.apply(stale)
  const newer = stateOf({ ack: 2 })
  state.apply(newer)
  t.equal(await state.reload(), newer)
  t.equal(state.current, newer)
  for (const older of [stateOf({ version: 0, ack: 1, received: 1 }), stateOf({ ack: 2, received: 1 })]) {
    state.apply(older)
    t.equal(state.current, newer)
  }
  for (const later of [stateOf({ ack: 2, received: 3 }), stateOf({ version: 2, ack: 1, received: 1 })]) {
    state.apply(later)
    t.equal(state.current, later)
  }
})

t.test('bug: a commit whose reply settled before that of an earlier exchange hid the claims of the exchange', t => {
  const state = new SessionState({} as BridgeStore, 's', 1000)
  const claims = [{ seq: 3, owner: 'i' }]
  const committed = stateOf({ version: 2, sent: 3, frames: ['frame 2', 'frame 3'] })
  state.apply(stateOf({ frames: ['frame 2'] }))
  state.apply(committed)
  state.apply(stateOf({ received: 3, ack: 2, claims }))
  t.same(state.current, { ...committed, received: 3, ack: 2, frames: ['frame 3'], claims })
  t.end()
})
