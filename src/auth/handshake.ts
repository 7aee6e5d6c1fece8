import { hasValidSignature, readSignedText } from '../protocol/frame.js'
import { deriveSession, type SessionKeys } from '../protocol/handshake.js'
import { authenticateBytes, challengeSeconds, type Limits, protocolName, sessionSeconds } from '../protocol/limits.js'
import { constantTimeEqual } from '../protocol/mac.js'
import { createNodeMac } from '../protocol/mac-node.js'
import { type Authenticate, type DownstreamMessages, decodeAuthenticate } from '../protocol/messages.js'
import { ProtocolError, RateLimited } from '../protocol/protocol-error.js'
import { StoreUnavailable } from '../store/store.js'
import { mergeAttributes } from './attributes.js'
import { capabilitiesOf } from './capabilities.js'
import {
  type ChallengeDependencies,
  type CheckedChallenge,
  checkChallenge,
  consumeChallenge,
  type IssuedChallenge,
  issueChallengeToken
} from './challenge-token.js'
import type { Credential, CredentialSource, Credentials } from './credential.js'
import type { HandshakeLimiter } from './handshake-limiter.js'
import { type HandshakeLog, logHandshakeFailure } from './handshake-log.js'
import type { Peer } from './peer.js'
import { createSessionId } from './session-id.js'

/** The handshake (PROTOCOL §4), for any transport. */

/** Dependencies of handshakes on the rest of the gateway. */
export interface HandshakeDependencies extends ChallengeDependencies, HandshakeLog {
  readonly settings: { readonly limits: Limits }
  readonly registry: ChallengeDependencies['registry'] & CredentialSource
  readonly log: {
    debug(fields: object, message: string): void
    info(fields: object, message: string): void
  }
  /** Unix milliseconds of the wall clock. */
  readonly now: () => number
}

/** A handshake that failed to authenticate. The client gets one answer for every reason; only the log has the reason. */
export class AuthenticationFault extends ProtocolError {
  /** As claimed. */
  readonly clientId: string
  /** The challenge that it used, if it has yet to be consumed. */
  readonly challenge: IssuedChallenge | undefined

  constructor(clientId: string, challenge?: IssuedChallenge) {
    super('AUTHENTICATION_FAILED')
    this.clientId = clientId
    this.challenge = challenge
  }
}

/** An authenticated peer with the keys of its new session. */
export interface Authenticated {
  readonly peer: Peer
  readonly keys: SessionKeys
  /** When the session ends at the latest, in Unix milliseconds. */
  readonly expiresAt: number
}

/**
 * Issues a challenge. Nothing is stored for it.
 * @param isForSocket  true: valid only on the socket that it is sent to; false: valid on the bridge
 * @throws StoreUnavailable
 */
export async function issueChallenge(
  dependencies: ChallengeDependencies & Pick<HandshakeDependencies, 'now'>,
  isForSocket: boolean
): Promise<DownstreamMessages['challenge']> {
  return {
    type: 'challenge',
    protocol: protocolName,
    challengeToken: await issueChallengeToken(dependencies, isForSocket),
    expiresIn: challengeSeconds,
    serverTime: dependencies.now()
  }
}

/** Decodes the frame, before anything is looked up. */
function readAuthenticate(frame: Uint8Array, depth: number): Authenticate {
  if (frame.length > authenticateBytes) {
    throw new ProtocolError('FRAME_TOO_LARGE', `authenticate: ${frame.length} bytes; the limit is ${authenticateBytes}`)
  }
  return decodeAuthenticate(readSignedText(frame, depth))
}

/** Finds the credential that made both signatures. All are tried, so that the time does not show which one matched. */
function findProof(
  frame: Uint8Array,
  message: Authenticate,
  credentials: readonly Credential[]
): { credential: Credential; keys: SessionKeys } | undefined {
  let found: { credential: Credential; keys: SessionKeys } | undefined
  for (const credential of credentials) {
    const { challengeToken, clientNonce } = message
    const session = deriveSession(createNodeMac, credential.secret, challengeToken, clientNonce)
    const isProved = constantTimeEqual(session.challengeSignature, message.challengeSignature)
    const isSigned = hasValidSignature(createNodeMac(session.clientKey), frame)
    if (isProved && isSigned && credential.usable) found = { credential, keys: session }
  }
  return found
}

/** Origin of a first frame. */
export interface HandshakeOrigin {
  /** The challenge that was sent to the frame's socket; undefined for a frame of the bridge. */
  readonly ownToken?: string
  readonly remoteAddress: string
}

/** The challenge and the credentials that a first frame refers to. */
interface Evidence {
  readonly challenge: CheckedChallenge
  readonly proof: ReturnType<typeof findProof>
  readonly found: Pick<Credentials, 'capabilities' | 'attributes' | 'credentials' | 'fault' | 'ticketOwner'>
}

/**
 * Reads both even if one is already known to be bad, so that all failures take the same time. Only an address that
 * failed too often is refused sooner: it learns nothing from that.
 */
async function examine(
  dependencies: HandshakeDependencies,
  limiter: HandshakeLimiter,
  { frame, message }: { readonly frame: Uint8Array; readonly message: Authenticate },
  { ownToken, remoteAddress }: HandshakeOrigin
): Promise<Evidence> {
  const { clientId, keyId, challengeToken } = message
  const checking = checkChallenge(dependencies, challengeToken, ownToken)
  if (limiter.isSlowed(remoteAddress)) {
    const challenge = await checking
    if (challenge.fault !== undefined) {
      return { challenge, proof: undefined, found: nothing }
    }
  }
  const [challenge, found] = await Promise.all([checking, dependencies.registry.credentials(clientId, keyId)])
  return { challenge, proof: findProof(frame, message, found.credentials), found }
}

const nothing = { capabilities: capabilitiesOf({}), attributes: {}, credentials: [] }

/** Why the handshake was not proved, for the log. */
function unprovedBecause({ credentials, fault }: Evidence['found']): string {
  return fault ?? (credentials.some(({ usable }) => usable) ? 'wrong secret' : 'unreadable record')
}

/**
 * Checks a client's first frame, and consumes its challenge if it authenticates. Otherwise the caller passes the error
 * to {@link recordFailedHandshake}.
 * @param frame  as received
 * @throws ProtocolError PROTOCOL_ERROR, UNSUPPORTED_PROTOCOL, FRAME_TOO_LARGE
 * @throws AuthenticationFault
 * @throws RateLimited when too many handshakes of the address have succeeded
 * @throws StoreUnavailable
 */
export async function authenticate(
  dependencies: HandshakeDependencies,
  limiter: HandshakeLimiter,
  frame: Uint8Array,
  origin: HandshakeOrigin
): Promise<Authenticated> {
  const { registry, now, randomText, settings } = dependencies
  const message = readAuthenticate(frame, settings.limits.depth)
  const { clientId, keyId } = message
  const { remoteAddress } = origin
  const { challenge, proof, found } = await examine(dependencies, limiter, { frame, message }, origin)
  const { issued, fault } = challenge
  const fail = (reason: string, unconsumed?: IssuedChallenge) => {
    logHandshakeFailure(dependencies, 'authentication failed', reason, { clientId, keyId, remoteAddress })
    return new AuthenticationFault(clientId, unconsumed)
  }
  if (fault !== undefined || issued === undefined) throw fail(fault ?? 'unknown challenge', issued)
  if (proof === undefined) throw fail(unprovedBecause(found), issued)
  const attributes = mergeAttributes(message.attributes ?? {}, found.attributes, 'PROTOCOL_ERROR')
  const waitMs = limiter.retryAfterMs(remoteAddress)
  if (waitMs > 0) throw new RateLimited(limiter.refusal, waitMs)
  if (!(await consumeChallenge(dependencies, issued))) throw fail('used challenge')
  limiter.recordSuccess(remoteAddress)
  const { credential, keys } = proof
  const sessionId = createSessionId(registry, randomText)
  const { capabilities, ticketOwner } = found
  const latest = now() + sessionSeconds * 1000
  return {
    peer: { sessionId, clientId, keyId: credential.keyId, capabilities, attributes, remoteAddress, ticketOwner },
    keys,
    expiresAt: Math.min(latest, credential.expiresAt ?? latest)
  }
}

/**
 * Counts a handshake that failed through the peer's fault, and consumes its challenge. An address that failed too often
 * consumes no challenges: this bounds its marks in the store by its rate of handshakes.
 * @returns 0, or the time that the address must wait, in milliseconds
 */
export async function recordFailedHandshake(
  dependencies: HandshakeDependencies,
  limiter: HandshakeLimiter,
  error: ProtocolError,
  remoteAddress: string
): Promise<number> {
  const { clientId, challenge } = error instanceof AuthenticationFault ? error : {}
  const waitMs = await limiter.recordFailure(remoteAddress, clientId)
  if (waitMs > 0 || challenge === undefined) return waitMs
  try {
    await consumeChallenge(dependencies, challenge)
  } catch (cause) {
    if (!(cause instanceof StoreUnavailable)) throw cause
    dependencies.log.debug(
      { err: cause },
      'could not consume the challenge of a failed handshake: it expires by itself'
    )
  }
  return waitMs
}

/** Members of a welcome that differ by session and transport. */
export interface WelcomeTerms {
  /** Unix milliseconds. */
  readonly expiresAt: number
  readonly heartbeatIntervalSeconds: number
  readonly heartbeatTimeoutSeconds: number
  /** The session's own channels and their positions (PROTOCOL §10.1). */
  readonly subscriptions: NonNullable<DownstreamMessages['welcome']['subscriptions']>
}

/** Builds the first downstream frame of a session (PROTOCOL §4.5). */
export function welcomeMessage(
  { settings, now }: Pick<HandshakeDependencies, 'settings' | 'now'>,
  peer: Peer,
  { expiresAt, heartbeatIntervalSeconds, heartbeatTimeoutSeconds, subscriptions }: WelcomeTerms
): Omit<DownstreamMessages['welcome'], 'seq'> {
  return {
    type: 'welcome',
    re: 1,
    protocol: protocolName,
    sessionId: peer.sessionId,
    clientId: peer.clientId,
    keyId: peer.keyId,
    heartbeatInterval: heartbeatIntervalSeconds,
    heartbeatTimeout: heartbeatTimeoutSeconds,
    serverTime: now(),
    expiresAt,
    limits: { ...settings.limits },
    subscriptions
  }
}
