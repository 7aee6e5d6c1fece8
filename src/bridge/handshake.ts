import { AuthenticationFault, authenticate, issueChallenge, welcomeMessage } from '../auth/handshake.js'
import type { HandshakeLimiter } from '../auth/handshake-limiter.js'
import { ownChannels } from '../auth/permissions.js'
import type { CodeName } from '../protocol/codes.js'
import { signMessage } from '../protocol/frame.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { StoreUnavailable } from '../store/store.js'
import { type ExchangeAnswer, unsignedAnswer } from './answer.js'
import type { BridgeSessions } from './sessions.js'
import type { BridgeSettings } from './settings.js'

/** The handshake on the bridge (PROTOCOL §4, §9.1): two requests, which may come to two instances. */

/** A challenge of the bridge is good on the bridge only. */
const binding = 'bridge'
/** How long a peer should wait after UNAVAILABLE, in milliseconds. */
const retryAfterMs = 1000

export interface HandshakeContext {
  readonly dependencies: SessionDependencies
  readonly settings: BridgeSettings
  readonly sessions: BridgeSessions
  readonly brake: HandshakeLimiter
  readonly remoteAddress: string
}

/** Refuses whoever should not even try. */
async function admit({ dependencies, sessions, brake, remoteAddress }: HandshakeContext): Promise<void> {
  if (sessions.isDraining) throw new ProtocolError('DRAINING')
  if (sessions.size >= dependencies.settings.maxSessions) throw new StoreUnavailable(new Error('this instance is full'))
  const waitMs = await brake.retryAfterMs(remoteAddress)
  if (waitMs > 0) throw new Braked(waitMs)
}

class Braked extends Error {
  readonly waitMs: number

  constructor(waitMs: number) {
    super('too many failed handshakes from this address')
    this.waitMs = waitMs
  }
}

/** `POST /v1/bridge/challenge` */
export function challenge(context: HandshakeContext): Promise<ExchangeAnswer> {
  return answered(context, async () => {
    await admit(context)
    return { status: 200, body: JSON.stringify(await issueChallenge(context.dependencies, binding)) }
  })
}

const lineFeed = 0x0a

/** `POST /v1/bridge/sessions`; the body is one line, and a line may end with LF. */
export function openSession(context: HandshakeContext, body: Uint8Array): Promise<ExchangeAnswer> {
  const frame = body.at(-1) === lineFeed ? body.subarray(0, -1) : body
  const { dependencies, settings, sessions, remoteAddress } = context
  return answered(context, async () => {
    await admit(context)
    const authenticated = await authenticate(dependencies, frame, binding, remoteAddress)
    const opened = await sessions.open(authenticated, ownChannels(authenticated.peer))
    if (opened === undefined) throw new ProtocolError('RATE_LIMITED')
    const { session, positions } = opened
    if (session.ending !== undefined) throw new AuthenticationFault(session.peer.clientId)
    const { type, ...members } = welcomeMessage(dependencies, session.peer, {
      expiresAt: session.expiresAt,
      heartbeatIntervalSeconds: dependencies.settings.heartbeatIntervalSeconds,
      heartbeatTimeoutSeconds: settings.heartbeatTimeoutSeconds,
      subscriptions: [...positions].map(([channel, position]) => ({ channel, ...position }))
    })
    dependencies.observer.handshake('welcome')
    session.log.info({ keyId: session.peer.keyId, remoteAddress, transport: 'bridge' }, 'session opened')
    return { status: 201, body: `${signMessage(session.signer, { type, seq: 1, ...members })}\n` }
  })
}

/** Before a session there is one answer for every reason, unsigned (PROTOCOL §4.4). */
async function answered(
  { dependencies, brake, remoteAddress }: HandshakeContext,
  work: () => Promise<ExchangeAnswer>
): Promise<ExchangeAnswer> {
  try {
    return await work()
  } catch (error) {
    const refuse = (code: CodeName, ms?: number) => {
      dependencies.observer.handshake(code)
      return unsignedAnswer(code, ms)
    }
    if (error instanceof Braked) return refuse('RATE_LIMITED', error.waitMs)
    if (error instanceof StoreUnavailable) {
      dependencies.log.warn({ err: error.cause }, 'a handshake failed: the store does not answer')
      return refuse('UNAVAILABLE', retryAfterMs)
    }
    if (!(error instanceof ProtocolError)) throw error
    const { code } = error
    if (code !== 'RATE_LIMITED' && code !== 'DRAINING') {
      brake.recordFailure(remoteAddress, error instanceof AuthenticationFault ? error.clientId : undefined)
    }
    return refuse(code, code === 'RATE_LIMITED' || code === 'DRAINING' ? retryAfterMs : undefined)
  }
}
