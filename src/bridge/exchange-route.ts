import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SessionDependencies } from '../session/dependencies.js'
import { StoreUnavailable } from '../store/store.js'
import { type ExchangeAnswer, unsignedAnswer } from './answer.js'
import { exchange } from './exchange.js'
import type { BridgeLifecycle } from './lifecycle.js'
import { BridgeSession } from './session.js'
import type { BridgeSessions } from './sessions.js'
import { type BridgeSettings, retryAfterMs } from './settings.js'
import type { UnverifiedRequestLimiter } from './unverified-request-limiter.js'

export interface ExchangeRouteOptions {
  readonly dependencies: SessionDependencies
  readonly settings: BridgeSettings
  readonly sessions: BridgeSessions
  readonly lifecycle: BridgeLifecycle
  readonly unverified: UnverifiedRequestLimiter
}

export type ExchangeRequest = FastifyRequest<{ Params: { sessionId: string } }>

const sessionIdPattern = /^[A-Za-z0-9_-]{22,64}$/

export function bodyOf({ body }: FastifyRequest): Uint8Array {
  return body instanceof Uint8Array ? body : new Uint8Array(0)
}

/** Finds the session of an exchange and answers it; unsigned where the session's keys are out of reach. */
export async function answerExchange(
  options: ExchangeRouteOptions,
  request: ExchangeRequest,
  reply: FastifyReply
): Promise<ExchangeAnswer> {
  const { dependencies, settings, lifecycle, unverified } = options
  lifecycle.noteExchange()
  try {
    const session = options.sessions.known(request.params.sessionId) ?? (await loadSession(options, request))
    if (!(session instanceof BridgeSession)) return session
    const onDisconnect = (listener: () => void) => void reply.raw.once('close', listener)
    const context = { dependencies, settings, session, lifecycle, unverified, address: request.ip, onDisconnect }
    return await exchange(context, bodyOf(request))
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    if (lifecycle.isClosing) return unsignedAnswer('DRAINING', retryAfterMs)
    const { sessionId } = request.params
    dependencies.log.warn({ err: error.cause, sessionId }, 'the store does not answer')
    return unsignedAnswer('UNAVAILABLE', retryAfterMs, 'unsent')
  }
}

/** Loads a session that this instance does not know; refused for an address with too many unverified requests. */
async function loadSession(
  { sessions, unverified }: ExchangeRouteOptions,
  { ip, params: { sessionId } }: ExchangeRequest
): Promise<BridgeSession | ExchangeAnswer> {
  const waitMs = unverified.retryAfterMs(ip)
  if (waitMs > 0) return unsignedAnswer('RATE_LIMITED', waitMs)
  const found = sessionIdPattern.test(sessionId) ? await sessions.find(sessionId) : undefined
  if (found !== undefined) return found
  unverified.count(ip)
  return unsignedAnswer('SESSION_NOT_FOUND')
}
