import {
  type FreshChallengeState,
  isChallengeDue,
  isChallengeOverdue,
  issueFreshChallenge
} from '../auth/fresh-challenge.js'
import { challengeSeconds } from '../protocol/limits.js'
import type { SessionDependencies } from '../session/dependencies.js'
import type { ChallengeState } from '../store/bridge.js'
import type { PendingCommit } from './pending-commit.js'
import type { BridgeSession } from './session.js'

/** Fresh challenges of the bridge: the store keeps their state with the session, so that any instance checks answers. */

export function decodeChallenge({ nextAt, open }: ChallengeState): FreshChallengeState {
  return open === undefined ? { nextAt } : { nextAt, open: JSON.parse(open) }
}

export function encodeChallenge({ nextAt, open }: FreshChallengeState): ChallengeState {
  return open === undefined ? { nextAt } : { nextAt, open: JSON.stringify(open) }
}

/** Whether the session left a challenge unanswered. @param now Unix milliseconds */
export function isOverdue(state: ChallengeState, now: number): boolean {
  return state.open !== undefined && isChallengeOverdue(decodeChallenge(state), now)
}

/** Whether the next challenge should be sent. @param now Unix milliseconds */
export function isDue(state: ChallengeState, now: number, intervalMs: number): boolean {
  return isChallengeDue(decodeChallenge(state), now, intervalMs)
}

/**
 * Commits the next challenge for the answer of the exchange that is being served: its 60 s start now (PROTOCOL §6.2).
 * Ends the session when its key is no longer usable.
 * @throws SessionEnded, StoreUnavailable
 */
export async function sendFreshChallenge(dependencies: SessionDependencies, session: BridgeSession): Promise<void> {
  const { registry, randomText, steadyNow, settings } = dependencies
  const { clientId, keyId } = session.peer
  const [credential] = (await registry.credentials(clientId, keyId)).credentials
  if (credential === undefined || !credential.usable) {
    session.end('SESSION_REVOKED')
    return
  }
  const challengeToken = randomText(32)
  const issued = issueFreshChallenge(challengeToken, credential.secret, steadyNow(), settings.freshChallengeMs)
  const pending: PendingCommit = {
    answered: [],
    outgoing: [{ type: 'challenge', challengeToken, expiresIn: challengeSeconds }],
    positions: new Map(),
    challenge: encodeChallenge(issued)
  }
  // Another exchange, here or on another instance, may have sent one meanwhile: one is open at a time.
  const build = ({ challenge }: { readonly challenge: ChallengeState }) =>
    challenge.open === undefined ? pending : undefined
  await session.outbox.commit(build, { delivery: 'inAnswer', withPublications: false })
}
