import type { Outgoing } from '../session/outbox.js'
import type { BridgeState, ChallengeState } from '../store/bridge.js'
import type { Position } from '../store/channels.js'

/** Answers, and the changes that become visible with them. */
export interface PendingCommit {
  /** Seqs of the claims that it answers. */
  readonly answered: readonly number[]
  /** Frames without seq and signature, in order. */
  readonly outgoing: readonly Outgoing[]
  /** Changed positions; undefined: the session left the channel. */
  readonly positions: ReadonlyMap<string, Position | undefined>
  readonly challenge?: ChallengeState
}

/**
 * Builds a commit on a state of the session.
 * @returns undefined when the commit is obsolete, for example because another exchange already made it
 */
export type PendingCommitBuilder = (state: BridgeState) => PendingCommit | undefined

export const emptyCommit: PendingCommit = { answered: [], outgoing: [], positions: new Map() }
