import { signChallenge } from '../protocol/handshake.js'
import { challengeSeconds } from '../protocol/limits.js'
import { constantTimeEqual } from '../protocol/mac.js'
import { createNodeMac } from '../protocol/mac-node.js'

/**
 * Fresh challenges within a session (PROTOCOL §6), as pure functions over a plain state. A session on a socket keeps the
 * state in memory, the bridge keeps it in the store. All times are Unix milliseconds.
 */

/** A challenge that was sent and has no answer yet. */
export interface OpenChallenge {
  readonly token: string
  /** The signature that the answer must carry: computed when the challenge is issued, so that no secret is kept. */
  readonly expected: string
  readonly endsAt: number
}

export interface FreshChallengeState {
  /** When the next challenge is due. */
  readonly nextAt: number
  readonly open?: OpenChallenge
}

/** The state of a session that has just opened, or whose challenge could not be issued this time. */
export function scheduleChallenge(now: number, intervalMs: number): FreshChallengeState {
  return { nextAt: now + intervalMs }
}

/** Whether the next challenge should be issued. One is open at a time. @param intervalMs  0: never */
export function isChallengeDue({ nextAt, open }: FreshChallengeState, now: number, intervalMs: number): boolean {
  return intervalMs > 0 && open === undefined && now >= nextAt
}

/** Whether the open challenge was not answered in time. */
export function isChallengeOverdue({ open }: FreshChallengeState, now: number): boolean {
  return open !== undefined && now >= open.endsAt
}

/**
 * Opens a challenge.
 * @param challengeToken  43 base64url characters
 * @param secret          of the session's own key
 */
export function issueFreshChallenge(
  challengeToken: string,
  secret: string,
  now: number,
  intervalMs: number
): FreshChallengeState & { readonly open: OpenChallenge } {
  const expected = signChallenge(createNodeMac, secret, challengeToken)
  return { nextAt: now + intervalMs, open: { token: challengeToken, expected, endsAt: now + challengeSeconds * 1000 } }
}

/** Closes the open challenge, whatever the answer. An answer to any other token is not correct. */
export function answerFreshChallenge(
  { open }: FreshChallengeState,
  challengeToken: string,
  challengeSignature: string,
  now: number,
  intervalMs: number
): { readonly state: FreshChallengeState; readonly isCorrect: boolean } {
  const isCorrect = open?.token === challengeToken && constantTimeEqual(open.expected, challengeSignature)
  return { state: scheduleChallenge(now, intervalMs), isCorrect }
}
