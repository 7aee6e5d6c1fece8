import { callTimeoutMs } from '../protocol/limits.js'
import type { Downstream, DownstreamMessages } from '../protocol/messages.js'
import type { CallTarget, History, Presence, SessionList } from './answers.js'
import { type RequestType, timeoutOf } from './encode.js'
import { CallError, invalid, RequestError } from './errors.js'
import { Emitter } from './events.js'
import type { ClientEvents, Position, Published, Validation } from './options.js'
import { positionOf } from './position.js'

export interface RequestOptions {
  /**
   * Timeout in milliseconds, above 0. If the client reconnects within it, it repeats the request. Default:
   * `requestTimeoutMs`.
   */
  readonly timeoutMs?: number
}

/** Options of a request that takes effect once. */
export interface RepeatableOptions extends RequestOptions {
  /** 1 to 64 characters. Pass one to repeat a request that timed out, within 5 minutes. Default: a unique one. */
  readonly idempotencyKey?: string
}

export type PublishOptions = RepeatableOptions

export interface CallOptions extends RepeatableOptions {
  /** Time for the receiver: 100 to 30,000 ms. Other values are clamped to it. Default: `requestTimeoutMs`. */
  readonly timeoutMs?: number
}

/** The gateway may declare the timeout of a call late (PROTOCOL §16.1). */
const callGraceMs = 3000

/**
 * The requests of a client. Each has one answer. Requests that the gateway would refuse are refused before they are
 * sent.
 */
export abstract class Verbs extends Emitter<ClientEvents> {
  constructor() {
    super([
      'state',
      'welcome',
      'lost',
      'trouble',
      'stopped',
      'error',
      'subscribed',
      'missed',
      'unsubscribed',
      'direct',
      'frame'
    ])
  }

  protected abstract readonly requestTimeoutMs: number

  /** @returns an idempotency key that is unique to one request */
  protected abstract newIdempotencyKey(): string

  /**
   * @throws RequestError
   * @internal
   */
  protected abstract request(
    type: RequestType,
    members: Readonly<Record<string, unknown>>,
    timeoutMs: number | undefined
  ): Promise<Downstream>

  /** @returns the answer without `type`, `seq` and `re`. @throws RequestError @internal */
  protected async ask<Type extends Downstream['type']>(
    type: RequestType,
    members: Readonly<Record<string, unknown>>,
    timeoutMs: number | undefined,
    answerType: Type
  ): Promise<Omit<DownstreamMessages[Type], 'type' | 'seq' | 're'>> {
    const answer = await this.request(type, members, timeoutMs)
    if (answer.type !== answerType) {
      throw new RequestError('PROTOCOL_ERROR', `answered by ${answer.type}`, { outcome: 'unknown' })
    }
    const {
      type: _type,
      seq: _seq,
      re: _re,
      ...rest
    } = answer as DownstreamMessages[Type] & { seq: number; re?: number }
    return rest
  }

  /**
   * Checks whether a license key is valid for a hardware id now.
   * @param license  serviceId: an identifier; hwid and key: 1 to 256 bytes each
   * @returns the validation; use only its `valid` to decide
   * @throws RequestError
   */
  async validate(
    license: { readonly serviceId: string; readonly hwid?: string | undefined; readonly key: string },
    { timeoutMs }: RequestOptions = {}
  ): Promise<Validation> {
    return this.ask('validate', { ...license }, timeoutMs, 'validation')
  }

  /**
   * Sends a heartbeat at once.
   * @returns the clock of the gateway, in unix milliseconds
   * @throws RequestError
   */
  async heartbeat({ timeoutMs }: RequestOptions = {}): Promise<number> {
    return (await this.ask('heartbeat', {}, timeoutMs, 'heartbeat')).serverTime
  }

  /**
   * Publishes data once, even if the client reconnects before the answer, or if the gateway is unavailable for a while:
   * until the timeout, every attempt has the same data and the same idempotency key.
   * @param channel  1 to 128 of letters, digits, `_`, `.`, `:`, `-`
   * @param data     any value that JSON can represent; it is encoded now, and may be changed afterwards
   * @throws RequestError, its `outcome` states whether the data may have been published; its `path` locates invalid
   *   data
   */
  async publish(
    channel: string,
    data: unknown,
    { idempotencyKey = this.newIdempotencyKey(), timeoutMs }: PublishOptions = {}
  ): Promise<Published> {
    return this.ask('publish', { channel, data, idempotencyKey }, timeoutMs, 'published')
  }

  /**
   * Reads the history of a channel. Needs the permission to subscribe to it, not a subscription.
   * @param channel  1 to 128 of letters, digits, `_`, `.`, `:`, `-`
   * @param options  limit: 1 to 100, default 20; before: a position, by default the newest publications are read
   * @throws RequestError
   */
  async history<T = unknown>(
    channel: string,
    {
      limit,
      before,
      timeoutMs
    }: RequestOptions & { readonly limit?: number; readonly before?: Position | undefined } = {}
  ): Promise<History<T>> {
    const position = before && positionOf(before)
    const answer = await this.ask('history', { channel, limit, before: position }, timeoutMs, 'history')
    const { epoch, more } = answer
    const publications = answer.publications.map(each => ({ channel, epoch, ...each, data: each.data as T }))
    const offset = publications[publications.length - 1]?.offset ?? before?.offset ?? 0
    return { publications, offset, epoch, more }
  }

  /**
   * Lists the sessions in a channel, if the gateway keeps its presence.
   * @param channel  1 to 128 of letters, digits, `_`, `.`, `:`, `-`
   * @param options  limit: 0 to 100, default 100
   * @throws RequestError
   */
  async presence(
    channel: string,
    { timeoutMs, ...options }: RequestOptions & { readonly limit?: number } = {}
  ): Promise<Presence> {
    return this.ask('presence', { ...options, channel }, timeoutMs, 'presence')
  }

  /**
   * Lists the live sessions of a client, such as the game servers of a game. Needs the permission to call one of its
   * methods.
   * @param options  limit: 1 to 100, default 50; after: `next` of the previous list
   * @throws RequestError
   */
  async sessions(
    clientId: string,
    { timeoutMs, ...options }: RequestOptions & { readonly limit?: number; readonly after?: string } = {}
  ): Promise<SessionList> {
    return this.ask('sessions', { ...options, clientId }, timeoutMs, 'sessions')
  }

  /**
   * Calls a method of another session, which runs it at most once, even if this client or the receiver reconnects.
   * @param to      one session, or any live session of a client
   * @param method  1 to 64 of letters, digits, `_`, `.`, `:`, `-`
   * @param data    any value that JSON can represent, or undefined; it is encoded now, and may be changed afterwards
   * @returns the result of the receiver's handler
   * @throws CallError, its `outcome` is `unknown` if the method may have run
   */
  async call<R = unknown>(
    to: CallTarget,
    method: string,
    data?: unknown,
    { timeoutMs, idempotencyKey = this.newIdempotencyKey() }: CallOptions = {}
  ): Promise<R> {
    try {
      const { sessionId, clientId, ...others } = Object(to) as {
        readonly sessionId?: string
        readonly clientId?: string
      }
      if ((sessionId === undefined) === (clientId === undefined) || Object.keys(others).length > 0)
        throw invalid('to', 'expected one of sessionId, clientId')
      const { min, max } = callTimeoutMs
      const waitMs = Math.round(Math.min(Math.max(timeoutOf(timeoutMs, this.requestTimeoutMs), min), max))
      const members = {
        to: sessionId === undefined ? { clientId } : { sessionId },
        method,
        data,
        timeoutMs: waitMs,
        idempotencyKey
      }
      return (await this.ask('call', members, waitMs + callGraceMs, 'called')).data as R
    } catch (error) {
      if (!(error instanceof RequestError) || error instanceof CallError) throw error
      throw new CallError(error.code, error.message, error)
    }
  }
}
