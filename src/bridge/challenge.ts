import { signChallenge } from '../protocol/handshake.js'
import { challengeSeconds } from '../protocol/limits.js'
import { createNodeMac } from '../protocol/mac-node.js'
import type { SessionDependencies } from '../session/dependencies.js'
import type { BridgeState, ChallengeState } from '../store/bridge.js'
import type { BridgeSession } from './session.js'

/** Fresh challenges on the bridge (PROTOCOL §6.2): kept with the session, so that any instance can judge the answer. */

/** One that is out. What is expected was worked out when it was made: no secret lies here. */
export interface OpenChallenge {
  readonly token: string
  readonly expected: string
  /** Unix milliseconds. */
  readonly endsAt: number
}

export function parseOpenChallenge(text: string): OpenChallenge {
  return JSON.parse(text)
}

/** Whether one went unanswered for too long. */
export function isOverdue({ open }: ChallengeState, now: number): boolean {
  return open !== undefined && now >= parseOpenChallenge(open).endsAt
}

/** Whether it is time for the next one. */
export function isDue({ nextAt, open }: ChallengeState, now: number, everyMs: number): boolean {
  return everyMs > 0 && open === undefined && now >= nextAt
}

/**
 * Commits the next challenge; the answer of the exchange at hand carries it, so its 60 s start now.
 * @throws SessionOver where the key is not good any more
 */
export async function issueFreshChallenge(dependencies: SessionDependencies, session: BridgeSession): Promise<void> {
  const { registry, randomText, now, settings } = dependencies
  const { clientId, keyId } = session.peer
  const [credential] = (await registry.credentials(clientId, keyId)).credentials
  if (credential === undefined || !credential.usable) {
    session.end('SESSION_REVOKED')
    return
  }
  const token = randomText(32)
  const expected = signChallenge(createNodeMac, credential.secret, token)
  const open: OpenChallenge = { token, expected, endsAt: now() + challengeSeconds * 1000 }
  const challenge = { nextAt: now() + settings.freshChallengeMs, open: JSON.stringify(open) }
  const message = { type: 'challenge' as const, challengeToken: token, expiresIn: challengeSeconds }
  // Another exchange, of this instance or another, may make one at the same time: one at a time is out.
  const isVain = ({ challenge: { open: other } }: BridgeState) => other !== undefined
  const draft = { answered: [], outgoing: [message], positions: new Map(), challenge, isVain }
  await session.commit(draft, false, () => true)
}
