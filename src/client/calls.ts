import type { Downstream } from '../protocol/messages.js'
import type { RequestType } from './encode.js'
import { RequestError } from './errors.js'
import { Emitter } from './events.js'
import type { ClientEvents, Published, Validation } from './options.js'

export interface RequestOptions {
  /** Milliseconds above 0. If the client reconnects within it, it repeats the request. Default: `requestTimeoutMs`. */
  readonly timeoutMs?: number
}

export interface PublishOptions extends RequestOptions {
  /** 1 to 64 characters. Pass one to repeat a publish that timed out, within 5 minutes. Default: a unique one. */
  readonly idempotencyKey?: string
}

/** The requests of a client. Each has one answer. One that the gateway would refuse is refused before it is sent. */
export abstract class Calls extends Emitter<ClientEvents> {
  /** @returns an idempotency key that is unique to one publication */
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

  /**
   * Checks whether a license key is valid for a hardware id now.
   * @param license  serviceId: an identifier; hwid and key: 1 to 256 bytes each
   * @returns the validation; decide by its `valid` only
   * @throws RequestError
   */
  async validate(
    { serviceId, hwid, key }: { readonly serviceId: string; readonly hwid?: string; readonly key: string },
    { timeoutMs }: RequestOptions = {}
  ): Promise<Validation> {
    const answer = await this.request('validate', { serviceId, hwid, key }, timeoutMs)
    if (answer.type !== 'validation') throw new RequestError('PROTOCOL_ERROR', `answered by ${answer.type}`)
    const { type: _type, seq: _seq, re: _re, ...validation } = answer
    return validation
  }

  /**
   * Sends a heartbeat at once.
   * @returns the clock of the gateway, in unix milliseconds
   * @throws RequestError
   */
  async heartbeat({ timeoutMs }: RequestOptions = {}): Promise<number> {
    const answer = await this.request('heartbeat', {}, timeoutMs)
    if (answer.type !== 'heartbeat') throw new RequestError('PROTOCOL_ERROR', `answered by ${answer.type}`)
    return answer.serverTime
  }

  /**
   * Publishes data once, even if the client reconnects before the answer, or if the gateway is unavailable for a while:
   * until the time is up, every attempt has the same data and the same idempotency key.
   * @param channel  1 to 128 of letters, digits, `_`, `.`, `:`, `-`
   * @param data     any value that JSON can represent; it is encoded now, and may be changed afterwards
   * @throws RequestError, its `outcome` states whether the data may have been published; its `path` where data is wrong
   */
  async publish(
    channel: string,
    data: unknown,
    { idempotencyKey = this.newIdempotencyKey(), timeoutMs }: PublishOptions = {}
  ): Promise<Published> {
    const answer = await this.request('publish', { channel, data, idempotencyKey }, timeoutMs)
    if (answer.type !== 'published') throw new RequestError('PROTOCOL_ERROR', `answered by ${answer.type}`)
    const { type: _type, seq: _seq, re: _re, ...published } = answer
    return published
  }
}
