import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AddressLimiter } from '../auth/address-limiter.js'
import { isOwnSessionId } from '../auth/session-id.js'
import type { RepeatedEvents } from '../log/repeated-events.js'
import { retryAfterMs } from '../protocol/retry.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { type MaybePromise, whenReady } from '../store/maybe-promise.js'
import { StoreUnavailable } from '../store/store.js'
import { type ExchangeAnswer, unsignedAnswer } from './answer.js'
import { exchange } from './exchange.js'
import type { BridgeLifecycle } from './lifecycle.js'
import { BridgeSession } from './session.js'
import type { BridgeSessions } from './sessions.js'
import type { BridgeSettings } from './settings.js'

export interface ExchangeRouteOptions {
  readonly dependencies: SessionDependencies
  readonly settings: BridgeSettings
  readonly sessions: BridgeSessions
  readonly lifecycle: BridgeLifecycle
  /** Counts unverified requests. */
  readonly unverified: AddressLimiter
  /** Bounds the log lines about refused exchanges. */
  readonly refused: RepeatedEvents
}

export type ExchangeRequest = FastifyRequest<{ Params: { sessionId: string } }>

const sessionIdPattern = /^[A-Za-z0-9_-]{22,64}$/

export function bodyOf({ body }: FastifyRequest): Uint8Array {
  return body instanceof Uint8Array ? body : new Uint8Array(0)
}

/**
 * Refuses an exchange for an unknown session before its body is read, so that the gateway buffers no bodies of clients
 * without a session. For a session that this instance knows it calls back at once.
 * @param done  receives an internal error, or the refusal, or neither
 */
export function admitExchange(
  options: ExchangeRouteOptions,
  request: ExchangeRequest,
  done: (error: Error | undefined, refusal?: ExchangeAnswer) => void
): void {
  options.lifecycle.noteExchange()
  const known = options.sessions.known(request.params.sessionId)
  if (known !== undefined) {
    request.bodyOwner = known.bodyOwner
    done(undefined)
    return
  }
  findSession(options, request).then(found => {
    if (!(found instanceof BridgeSession)) return done(undefined, found)
    request.bodyOwner = found.bodyOwner
    done(undefined)
  }, done)
}

/** Answers an admitted exchange; unsigned where the session's keys are unavailable. */
export function answerExchange(
  options: ExchangeRouteOptions,
  request: ExchangeRequest,
  reply: FastifyReply
): MaybePromise<ExchangeAnswer> {
  const { dependencies, settings, lifecycle, unverified, refused } = options
  // The session may have been forgotten here while the body arrived.
  const found = options.sessions.known(request.params.sessionId) ?? findSession(options, request)
  return whenReady(found, session =>
    session instanceof BridgeSession
      ? exchange(
          {
            dependencies,
            settings,
            session,
            lifecycle,
            unverified,
            refused,
            address: request.ip,
            socket: request.raw.socket,
            onDisconnect: listener => void reply.raw.once('close', listener)
          },
          bodyOf(request)
        )
      : session
  )
}

/** The session, or the answer to a request while the session cannot be found. */
async function findSession(
  options: ExchangeRouteOptions,
  request: ExchangeRequest
): Promise<BridgeSession | ExchangeAnswer> {
  const { dependencies, lifecycle } = options
  try {
    return await loadSession(options, request)
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    if (lifecycle.isClosing) return unsignedAnswer('DRAINING', retryAfterMs)
    dependencies.boundedLog.storeFailed('exchanges', error)
    return unsignedAnswer('UNAVAILABLE', retryAfterMs, 'unsent')
  }
}

/**
 * Loads a session that this instance does not know. For an address with too many unverified requests it asks the store
 * only for ids made by a gateway.
 */
async function loadSession(
  { dependencies, sessions, unverified }: ExchangeRouteOptions,
  { ip, params: { sessionId } }: ExchangeRequest
): Promise<BridgeSession | ExchangeAnswer> {
  const waitMs = unverified.retryAfterMs(ip)
  if (waitMs > 0 && !isOwnSessionId(dependencies.registry, sessionId)) {
    dependencies.boundedLog.floods.record({ remoteAddress: ip })
    return unsignedAnswer('RATE_LIMITED', waitMs)
  }
  const found = sessionIdPattern.test(sessionId) ? await sessions.find(sessionId) : undefined
  if (found !== undefined) return found
  unverified.count(ip)
  return unsignedAnswer('SESSION_NOT_FOUND')
}
