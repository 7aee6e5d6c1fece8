import type { CallHandler } from './answers.js'
import { Causes } from './causes.js'
import type { Wanted } from './channel-handler.js'
import { ClientChannels } from './channels.js'
import { type Encoded, encodeRequest, type RequestLimits, type RequestType } from './encode.js'
import { invalid, RequestError } from './errors.js'
import { callSafely } from './events.js'
import type { Attributes, PublicationHandler, SubscribeOptions, Subscription, Welcome } from './options.js'
import { positionOf } from './position.js'
import { type RequestOptions, Verbs } from './verbs.js'

const methodPattern = /^[A-Za-z0-9_.:-]{1,64}$/

/** @throws TypeError */
function requireFunction(value: unknown, name: string): void {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function`)
}

/** @throws TypeError */
function wantedOf({ recover, last, presence = false, onPresence }: SubscribeOptions): Wanted {
  if (onPresence !== undefined) requireFunction(onPresence, 'subscribe: onPresence')
  return {
    recover: recover ? positionOf(recover) : undefined,
    last,
    presence: presence || onPresence !== undefined,
    onPresence
  }
}

/** The state of a client over all its sessions: its channels, its attributes, and its handlers of calls. */
export abstract class LastingVerbs extends Verbs {
  /** @internal */
  protected readonly clientChannels: ClientChannels
  /** By method. They outlive a `close`. @internal */
  protected readonly handlers = new Map<string, CallHandler<never>>()
  /**
   * Attributes for the next handshake: accepted by a gateway, or given before the first session. A handshake with
   * refused attributes would fail repeatedly.
   * @internal
   */
  protected attributes: Attributes | undefined
  /** The newest attributes, which the current session may not have accepted yet. */
  #newAttributes: Attributes | undefined
  /** Why channels were refused. */
  readonly #denials = new Causes()

  /** @throws RequestError for attributes that the gateway would refuse */
  constructor(attributes: Attributes | undefined) {
    super()
    if (attributes !== undefined) encodeRequest('attributes', { attributes }, undefined)
    this.attributes = attributes && { ...attributes }
    this.#newAttributes = this.attributes
    this.clientChannels = new ClientChannels({
      send: (type, members) => this.sendNow(encodeRequest(type, { ...members }, undefined)),
      emit: (name, event, onDropped) => this.emit(name, event, onDropped),
      dispatch: (call, onDropped) => this.dispatcher.push(call, onDropped),
      call: (handler, channel) => callSafely(handler, error => this.fault(error, `channel:${channel}`)),
      denied: reason => {
        if (this.#denials.isNew(reason)) this.onTrouble(reason, 1)
      },
      retryJoinsAfter: ms => this.retryJoinsAfter(ms)
    })
  }

  /** Of the last session. @internal */
  protected abstract readonly limits: RequestLimits | undefined
  /** Between `connect` and `close`. @internal */
  protected abstract readonly isRunning: boolean
  /** @returns the `seq` of the frame; undefined without a session @internal */
  protected abstract sendNow(encoded: Encoded): number | undefined
  /** Joins refused channels again, after a delay. @internal */
  protected abstract retryJoinsAfter(ms: number): void
  /** @internal */
  protected abstract onTrouble(reason: string, tries: number): void

  /** Why the gateway would refuse a message. */
  #refusalOf(type: RequestType, members: Readonly<Record<string, unknown>>): RequestError | undefined {
    try {
      if (members['recover'] !== undefined && members['last'] !== undefined) {
        throw invalid('last', 'not together with recover')
      }
      encodeRequest(type, members, this.limits)
      return undefined
    } catch (error) {
      if (error instanceof RequestError) return error
      throw error
    }
  }

  /**
   * Joins a channel and keeps it joined across reconnects. `handler` is called once for each publication, in order. A
   * channel may have several handlers; it is left with the last one. The event `missed` reports that publications were
   * lost and cannot be recovered.
   * @param channel  1 to 128 of letters, digits, `_`, `.`, `:`, `-`
   * @returns the subscription; its `ready` rejects if the channel, or a request of the options, is refused
   * @throws TypeError if a handler is not a function
   */
  subscribe<T = unknown>(
    channel: string,
    handler: PublicationHandler<T>,
    options: SubscribeOptions = {}
  ): Subscription {
    requireFunction(handler, 'subscribe: the handler')
    const wanted = wantedOf(options)
    return this.dispatcher.run(() => {
      const { recover, last, presence } = wanted
      const refusal = this.#refusalOf('subscribe', { channel, recover, last, presence })
      return this.clientChannels.subscribe(String(channel), handler, wanted, refusal)
    })
  }

  /**
   * Answers the calls of other sessions to a method; replaces an earlier handler. Each call runs once. The result is
   * the return value, or the value of a returned promise. An error is sent to the caller with the code HANDLER_FAILED,
   * or with its own `code` if that is like `NOT_FOUND`. Handlers run concurrently; those running when the client is
   * closed may finish.
   * @param method  1 to 64 of letters, digits, `_`, `.`, `:`, `-`
   * @returns a function that removes the handler
   * @throws RequestError for a malformed method. @throws TypeError if the handler is not a function
   */
  handle<T = unknown>(method: string, handler: CallHandler<T>): () => void {
    requireFunction(handler, 'handle: the handler')
    if (typeof method !== 'string' || !methodPattern.test(method)) {
      throw invalid('method', 'expected 1 to 64 of letters, digits, "_", ".", ":", "-"')
    }
    this.handlers.set(method, handler)
    return () => {
      if (this.handlers.get(method) === handler) this.handlers.delete(method)
    }
  }

  /**
   * Replaces this client's own attributes, also for its later sessions. Those of a ticket stay.
   * @param attributes  at most 16 members; names of 1 to 32 bytes, values of up to 128 bytes
   * @throws RequestError
   */
  async setAttributes(attributes: Attributes, { timeoutMs }: RequestOptions = {}): Promise<void> {
    encodeRequest('attributes', { attributes }, this.limits)
    const given = { ...attributes }
    this.#newAttributes = given
    if (this.isRunning) await this.#sendAttributes(given, timeoutMs)
    else this.attributes = given
  }

  async #sendAttributes(attributes: Attributes, timeoutMs?: number): Promise<void> {
    await this.ask('attributes', { attributes }, timeoutMs, 'ack')
    this.attributes = attributes
  }

  /** A session was opened: joins the channels, and sends attributes that no session has accepted in time. */
  protected onWelcome(welcome: Welcome): void {
    this.#denials.clear()
    this.clientChannels.restart(welcome)
    const attributes = this.#newAttributes
    if (attributes !== undefined && attributes !== this.attributes) this.#sendAttributes(attributes).catch(() => {})
  }
}
