import { hasValidSignature, readSignedText } from '../protocol/frame.js'
import { deriveSession, type SessionKeys } from '../protocol/handshake.js'
import { authenticateBytes, challengeSeconds, protocolName, sessionSeconds } from '../protocol/limits.js'
import { sameText } from '../protocol/mac.js'
import { createNodeMac } from '../protocol/mac-node.js'
import { type Authenticate, type DownstreamMessages, decodeAuthenticate } from '../protocol/messages.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import type { Credential } from '../registry/credentials.js'
import type { SessionDependencies } from '../session/dependencies.js'
import type { Peer } from '../session/peer.js'

/** The handshake (PROTOCOL §4), for any transport. */

const tokenBytes = 32
const sessionIdBytes = 24

/** A handshake that proves nothing. The peer is told one thing, whatever the reason; `clientId` is what it claimed. */
export class AuthenticationFault extends ProtocolError {
  readonly clientId: string

  constructor(clientId: string) {
    super('AUTHENTICATION_FAILED')
    this.clientId = clientId
  }
}

/** An authenticated client: who it is, the keys of its session, and until when it may last. */
export interface Authenticated {
  readonly peer: Peer
  readonly keys: SessionKeys
  readonly expiresAt: number
}

/**
 * Issues a challenge.
 * @param binding  where alone it can be answered: a socket's id, or the bridge
 * @throws StoreUnavailable
 */
export async function issueChallenge(
  { store, now, randomText }: SessionDependencies,
  binding: string
): Promise<DownstreamMessages['challenge']> {
  const challengeToken = randomText(tokenBytes)
  await store.challenges.put(challengeToken, binding, challengeSeconds * 1000)
  return {
    type: 'challenge',
    protocol: protocolName,
    challengeToken,
    expiresIn: challengeSeconds,
    serverTime: now()
  }
}

/** Shape of the frame, before anything is looked up. */
function readAuthenticate(frame: Uint8Array, depth: number): Authenticate {
  if (frame.length > authenticateBytes) {
    throw new ProtocolError('FRAME_TOO_LARGE', `an authenticate has at most ${authenticateBytes} bytes`)
  }
  return decodeAuthenticate(readSignedText(frame, depth))
}

/** The credential that made both signatures. Every one is tried to the end, so that time does not tell which fits. */
function findProof(
  frame: Uint8Array,
  message: Authenticate,
  credentials: readonly Credential[]
): { credential: Credential; keys: SessionKeys } | undefined {
  let found: { credential: Credential; keys: SessionKeys } | undefined
  for (const credential of credentials) {
    const { challengeToken, clientNonce } = message
    const session = deriveSession(createNodeMac, credential.secret, challengeToken, clientNonce)
    const proved = sameText(session.challengeSignature, message.challengeSignature)
    const signed = hasValidSignature(createNodeMac(session.clientKey), frame)
    if (proved && signed && credential.usable) found = { credential, keys: session }
  }
  return found
}

/**
 * Judges a client's first frame. The challenge is consumed before anything else is looked at, whatever the outcome.
 * @param frame    as received
 * @param binding  where it was received, see {@link issueChallenge}
 * @throws ProtocolError PROTOCOL_ERROR, UNSUPPORTED_PROTOCOL, FRAME_TOO_LARGE, AUTHENTICATION_FAILED (one answer for
 *   every reason; the log has the reason)
 * @throws StoreUnavailable
 */
export async function authenticate(
  dependencies: SessionDependencies,
  frame: Uint8Array,
  binding: string,
  remoteAddress: string
): Promise<Authenticated> {
  const { store, registry, now, randomText, settings, log } = dependencies
  const message = readAuthenticate(frame, settings.limits.depth)
  const { clientId, keyId, challengeToken, attributes = {} } = message
  const bound = await store.challenges.consume(challengeToken)
  const { capabilities, credentials, attributes: known } = await registry.credentials(clientId, keyId)
  const proof = findProof(frame, message, credentials)
  if (bound !== binding || proof === undefined) {
    const reason = bound === undefined ? 'no such challenge' : bound !== binding ? 'foreign challenge' : 'no such proof'
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
      attributes: { ...attributes, ...known },
      remoteAddress
    },
    keys,
    expiresAt: Math.min(latest, credential.expiresAt ?? latest)
  }
}

/** What a welcome says that differs by session and transport. */
export interface WelcomeTerms {
  /** Unix milliseconds. */
  readonly expiresAt: number
  readonly heartbeatIntervalSeconds: number
  readonly heartbeatTimeoutSeconds: number
  /** The channels that are joined from the start (PROTOCOL §10.1). */
  readonly subscriptions: NonNullable<DownstreamMessages['welcome']['subscriptions']>
}

/** The first downstream frame of a session (PROTOCOL §4.5). */
export function welcomeMessage(
  { settings, now }: SessionDependencies,
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
