import { hasValidSignature, readSignedText } from '../protocol/frame.js'
import { deriveSession, type SessionKeys } from '../protocol/handshake.js'
import { authenticateBytes, challengeSeconds, type Limits, protocolName, sessionSeconds } from '../protocol/limits.js'
import { constantTimeEqual } from '../protocol/mac.js'
import { createNodeMac } from '../protocol/mac-node.js'
import { type Authenticate, type DownstreamMessages, decodeAuthenticate } from '../protocol/messages.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import type { Credential, CredentialSource } from './credential.js'
import type { Peer } from './peer.js'
import { consumeChallenge, type StoredChallengeDependencies, storeChallenge } from './stored-challenge.js'

/** The handshake (PROTOCOL §4), for any transport. */

/** Random bytes of a challenge token, which has 43 base64url characters. */
export const challengeTokenBytes = 32
const sessionIdBytes = 24

/** What handshakes need from the rest of the gateway. */
export interface HandshakeDependencies extends StoredChallengeDependencies {
  readonly settings: { readonly limits: Limits }
  readonly registry: StoredChallengeDependencies['registry'] & CredentialSource
  readonly log: { info(fields: object, message: string): void }
  /** Unix milliseconds of the wall clock. */
  readonly now: () => number
  /** Returns this number of random bytes in base64url. */
  readonly randomText: (bytes: number) => string
}

/** A handshake that failed to authenticate. The client gets one answer for every reason; only the log has the reason. */
export class AuthenticationFault extends ProtocolError {
  /** As claimed. */
  readonly clientId: string

  constructor(clientId: string) {
    super('AUTHENTICATION_FAILED')
    this.clientId = clientId
  }
}

/** An authenticated peer with the keys of its new session. */
export interface Authenticated {
  readonly peer: Peer
  readonly keys: SessionKeys
  /** When the session ends at the latest, Unix milliseconds. */
  readonly expiresAt: number
}

/**
 * Issues a challenge.
 * @param binding  what the challenge is good for: one socket's id, or the bridge
 * @throws StoreUnavailable
 */
export async function issueChallenge(
  dependencies: StoredChallengeDependencies & Pick<HandshakeDependencies, 'now' | 'randomText'>,
  binding: string
): Promise<DownstreamMessages['challenge']> {
  const challengeToken = dependencies.randomText(challengeTokenBytes)
  await storeChallenge(dependencies, challengeToken, binding)
  return {
    type: 'challenge',
    protocol: protocolName,
    challengeToken,
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

/**
 * Checks a client's first frame. The challenge is consumed first, whatever the outcome.
 * @param frame    as received
 * @param binding  where it was received, see {@link issueChallenge}
 * @throws ProtocolError PROTOCOL_ERROR, UNSUPPORTED_PROTOCOL, FRAME_TOO_LARGE
 * @throws AuthenticationFault
 * @throws StoreUnavailable
 */
export async function authenticate(
  dependencies: HandshakeDependencies,
  frame: Uint8Array,
  binding: string,
  remoteAddress: string
): Promise<Authenticated> {
  const { registry, now, randomText, settings, log } = dependencies
  const message = readAuthenticate(frame, settings.limits.depth)
  const { clientId, keyId, challengeToken, attributes = {} } = message
  const challenge = await consumeChallenge(dependencies, challengeToken, binding)
  const found = await registry.credentials(clientId, keyId)
  const { capabilities, credentials, attributes: recorded, ticketOwner } = found
  const proof = findProof(frame, message, credentials)
  if (challenge !== 'valid' || proof === undefined) {
    const reason = challenge === 'valid' ? 'no valid proof' : challenge
    log.info({ clientId, keyId, reason, remoteAddress }, 'authentication failed')
    throw new AuthenticationFault(clientId)
  }
  const { credential, keys } = proof
  const latest = now() + sessionSeconds * 1000
  return {
    peer: {
      sessionId: randomText(sessionIdBytes),
      clientId,
      keyId: credential.keyId,
      capabilities,
      attributes: { ...attributes, ...recorded },
      remoteAddress,
      ...(ticketOwner === undefined ? {} : { ticketOwner })
    },
    keys,
    expiresAt: Math.min(latest, credential.expiresAt ?? latest)
  }
}

/** The members of a welcome that differ by session and transport. */
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
