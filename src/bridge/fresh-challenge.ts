import {
  type FreshChallengeState,
  isChallengeDue,
  isChallengeOverdue,
  issueFreshChallenge,
  type OpenChallenge
} from '../auth/fresh-challenge.js'
import { challengeSeconds } from '../protocol/limits.js'
import { CannotUnseal } from '../registry/aead.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { revalidateSession } from '../session/revalidation.js'
import type { ChallengeState } from '../store/bridge.js'
import type { ClaimSealer } from './claim-sealer.js'
import type { PendingCommit } from './pending-commit.js'
import type { BridgeSession } from './session.js'

/** Fresh challenges of the bridge: the store keeps their state with the session, so that any instance checks answers. */

/** The seq under which an open challenge is sealed. No message of a session has this seq. */
const challengeSeq = 0
/** Replaces a challenge that was changed in the store: nothing answers it, and it is overdue. */
const unreadable: OpenChallenge = { token: '', expected: '', endsAt: 0 }

export function decodeChallenge({ nextAt, open }: ChallengeState, sealer: ClaimSealer): FreshChallengeState {
  if (open === undefined) return { nextAt }
  try {
    return { nextAt, open: JSON.parse(sealer.open(challengeSeq, open)) }
  } catch (error) {
    if (!(error instanceof CannotUnseal)) throw error
    return { nextAt, open: unreadable }
  }
}

export function encodeChallenge({ nextAt, open }: FreshChallengeState, sealer: ClaimSealer): ChallengeState {
  return open === undefined ? { nextAt } : { nextAt, open: sealer.seal(challengeSeq, JSON.stringify(open)) }
}

/** Whether the session left a challenge unanswered. @param now Unix milliseconds */
export function isOverdue(state: ChallengeState, sealer: ClaimSealer, now: number): boolean {
  return state.open !== undefined && isChallengeOverdue(decodeChallenge(state, sealer), now)
}

/** Whether the next challenge should be sent. @param now Unix milliseconds */
export function isDue({ nextAt, open }: ChallengeState, now: number, intervalMs: number): boolean {
  return open === undefined && isChallengeDue({ nextAt }, now, intervalMs)
}

/**
 * Commits the next challenge for the answer of the current exchange: its 60 s start now (PROTOCOL §6.2). Ends the
 * session when its key is no longer usable.
 * @throws SessionEnded, StoreUnavailable
 */
export async function sendFreshChallenge(dependencies: SessionDependencies, session: BridgeSession): Promise<void> {
  const { registry, randomText, steadyNow, settings } = dependencies
  const { clientId, keyId } = session.peer
  const [credential] = (await registry.credentials(clientId, keyId)).credentials
  if (credential === undefined || !credential.usable) {
    await revalidateSession(dependencies, session)
    session.requireLive()
    return
  }
  const challengeToken = randomText(32)
  const issued = issueFreshChallenge(challengeToken, credential.secret, steadyNow(), settings.freshChallengeMs)
  const pending: PendingCommit = {
    answered: [],
    outgoing: [{ type: 'challenge', challengeToken, expiresIn: challengeSeconds }],
    positions: new Map(),
    challenge: encodeChallenge(issued, session.claims)
  }
  // Another exchange, here or on another instance, may have sent one meanwhile: only one may be open.
  const build = ({ challenge }: { readonly challenge: ChallengeState }) =>
    challenge.open === undefined ? pending : undefined
  await session.outbox.commit(build, { delivery: 'inAnswer', withPublications: false })
}
