import type { Outgoing } from '../session/session.js'
import type { BridgeState, ChallengeState } from '../store/bridge.js'
import type { Position } from '../store/channels.js'

/** What is to be committed: answers and what they change. */
export interface PendingCommit {
  readonly answered: readonly number[]
  readonly outgoing: readonly Outgoing[]
  readonly positions: ReadonlyMap<string, Position | undefined>
  readonly challenge?: ChallengeState
  /** Whether there is no point in it any more, on the state that it would be made on. */
  readonly isVain?: (state: BridgeState) => boolean
}
