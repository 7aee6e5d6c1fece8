import type { FrameText } from '../protocol/frame-text.js'
import type { Outgoing } from '../session/outbox.js'
import type { AwaitedCall, BridgeState, ChallengeState, ReceivedCall } from '../store/bridge.js'
import type { Position } from '../store/channels.js'

/** Answers, and the changes that become visible with them. */
export interface PendingCommit {
  /** Seqs of the claims that it answers. */
  readonly answered: readonly number[]
  /** Frames without seq and signature, in order. */
  readonly outgoing: readonly (Outgoing | FrameText)[]
  /** Changed positions; undefined: the session left the channel. */
  readonly positions: ReadonlyMap<string, Position | undefined>
  readonly challenge?: ChallengeState | undefined
  /** See `BridgeCommit`, like the next two. */
  readonly awaited?: ReadonlyMap<number, AwaitedCall | undefined> | undefined
  readonly receives?: ReceivedCall | undefined
  readonly answeredCalls?: readonly string[] | undefined
}

/**
 * Builds a commit on a state of the session.
 * @returns undefined when the commit is obsolete, for example because another exchange already made it
 */
export type PendingCommitBuilder = (state: BridgeState) => PendingCommit | undefined

export const emptyCommit: PendingCommit = { answered: [], outgoing: [], positions: new Map() }

/** Whether a commit without frames would be empty. */
export function changesNothing({ answered, challenge, awaited, answeredCalls }: PendingCommit): boolean {
  return answered.length === 0 && challenge === undefined && awaited === undefined && answeredCalls === undefined
}

/** Whether a commit registers calls whose outcomes have a deadline. */
export function makesCalls({ awaited }: PendingCommit): boolean {
  return awaited !== undefined && [...awaited.values()].some(call => call !== undefined && call.deadline > 0)
}
