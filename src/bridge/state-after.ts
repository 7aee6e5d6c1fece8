import type { AwaitedCall, BridgeState } from '../store/bridge.js'
import type { PendingCommit } from './pending-commit.js'
import { applyChanges, type PositionChanges } from './positions.js'

const noAwaited: ReadonlyMap<number, AwaitedCall | undefined> = new Map()

/** The state of a session after a commit. */
export interface CommittedChanges {
  readonly pending: PendingCommit
  readonly frames: readonly string[]
  readonly positions: PositionChanges
}

/**
 * Computes the state after a commit.
 * @param state   the base of the commit
 * @param latest  the last known state: exchanges change it without a new version
 */
export function stateAfter(
  state: BridgeState,
  latest: BridgeState,
  { pending, frames, positions }: CommittedChanges
): BridgeState {
  const isComplete = latest.frames.length === latest.sent - latest.ack
  return {
    version: state.version + 1,
    received: latest.received,
    ack: latest.ack,
    sent: state.sent + frames.length,
    frames: isComplete ? [...latest.frames, ...frames] : latest.frames,
    positions: applyChanges(state.positions, positions),
    claims: latest.claims.filter(({ seq }) => !pending.answered.includes(seq)),
    challenge: pending.challenge ?? latest.challenge,
    awaited: applyChanges(latest.awaited, pending.awaited ?? noAwaited)
  }
}
