import {
  AuthenticationFault,
  authenticate,
  issueChallenge,
  recordFailedHandshake,
  welcomeMessage
} from '../auth/handshake.js'
import type { HandshakeLimiter } from '../auth/handshake-limiter.js'
import { logHandshakeFailure, tooManySessions } from '../auth/handshake-log.js'
import { ownChannels } from '../auth/permissions.js'
import type { CodeName } from '../protocol/codes.js'
import { signMessage } from '../protocol/frame.js'
import { ProtocolError, RateLimited } from '../protocol/protocol-error.js'
import { retryAfterMs } from '../protocol/retry.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { NoSessionCapacity } from '../session/session-capacity.js'
import { StoreUnavailable } from '../store/store.js'
import { type ExchangeAnswer, unsignedAnswer } from './answer.js'
import type { BridgeLifecycle } from './lifecycle.js'
import type { BridgeSessions } from './sessions.js'
import type { BridgeSettings } from './settings.js'

/** The handshake on the bridge (PROTOCOL §4, §9.1): two requests, which may reach two instances. */

const lineFeed = 0x0a

export interface HandshakeContext {
  readonly dependencies: SessionDependencies
  readonly settings: BridgeSettings
  readonly sessions: BridgeSessions
  readonly lifecycle: BridgeLifecycle
  readonly limiter: HandshakeLimiter
  readonly remoteAddress: string
}

/** @throws ProtocolError DRAINING, NoSessionCapacity, RateLimited */
function requireCapacity({ dependencies, lifecycle, limiter, remoteAddress }: HandshakeContext): void {
  if (lifecycle.isDraining) throw new ProtocolError('DRAINING')
  if (dependencies.sessionCapacity.isFull) throw new NoSessionCapacity()
  const waitMs = limiter.retryAfterMs(remoteAddress)
  if (waitMs > 0) throw new RateLimited(limiter.refusal, waitMs)
}

/** `POST /v1/bridge/challenge` */
export function challenge(context: HandshakeContext): Promise<ExchangeAnswer> {
  return answerHandshake(context, async () => {
    requireCapacity(context)
    return { status: 200, body: JSON.stringify(await issueChallenge(context.dependencies, false)) }
  })
}

/** `POST /v1/bridge/sessions`. @param body one line, with or without LF */
export function openSession(context: HandshakeContext, body: Uint8Array): Promise<ExchangeAnswer> {
  const frame = body.at(-1) === lineFeed ? body.subarray(0, -1) : body
  const { dependencies, settings, sessions, limiter, remoteAddress } = context
  return answerHandshake(context, async () => {
    requireCapacity(context)
    const authenticated = await authenticate(dependencies, limiter, frame, { remoteAddress })
    const opened = await sessions.open(authenticated, ownChannels(authenticated.peer))
    if (opened === undefined) {
      logHandshakeFailure(dependencies, 'a handshake was refused', tooManySessions, authenticated.peer)
      throw new ProtocolError('RATE_LIMITED')
    }
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

/** Refusals before a session are unsigned, and equal for all causes (PROTOCOL §4.4). */
async function answerHandshake(
  context: HandshakeContext,
  handshake: () => Promise<ExchangeAnswer>
): Promise<ExchangeAnswer> {
  try {
    return await handshake()
  } catch (error) {
    const [code, waitMs] = await refusalOf(context, error)
    context.dependencies.observer.handshake(code)
    return unsignedAnswer(code, waitMs)
  }
}

async function refusalOf(context: HandshakeContext, error: unknown): Promise<[code: CodeName, retryAfterMs?: number]> {
  const { dependencies, limiter, remoteAddress } = context
  if (error instanceof StoreUnavailable) {
    dependencies.boundedLog.storeFailed('handshakes', error)
    return ['UNAVAILABLE', retryAfterMs]
  }
  if (!(error instanceof ProtocolError)) throw error
  if (error instanceof RateLimited) {
    dependencies.boundedLog.floods.record({ remoteAddress })
    return ['RATE_LIMITED', error.retryAfterMs]
  }
  const { code } = error
  if (error instanceof NoSessionCapacity) return [code, retryAfterMs]
  if (code === 'RATE_LIMITED' || code === 'DRAINING') return [code, retryAfterMs]
  if (!(error instanceof AuthenticationFault)) {
    logHandshakeFailure(dependencies, 'a handshake was malformed', error.message, { remoteAddress }, code)
  }
  const waitMs = await recordFailedHandshake(dependencies, limiter, error, remoteAddress)
  return waitMs > 0 ? ['RATE_LIMITED', waitMs] : [code]
}
