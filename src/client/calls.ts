import type { Downstream } from '../protocol/messages.js'
import { Emitter } from './events.js'
import type { ClientEvents, Published, Validation } from './options.js'
import { type Request, RequestError } from './requests.js'

const defaultTimeoutMs = 10_000

/** The requests of a client. Each has one answer. */
export abstract class Calls extends Emitter<ClientEvents> {
  /** @returns an idempotency key that is unique to one publication */
  protected abstract newIdempotencyKey(): string

  /** @throws RequestError */
  protected abstract request(message: Request['message'], timeoutMs: number): Promise<Downstream>

  /**
   * Checks whether a license key is valid for a hardware id now.
   * @param license    serviceId: an identifier; hwid and key: 1 to 256 bytes each
   * @param timeoutMs  default 10,000; if the client reconnects within it, it repeats the request
   * @returns the validation; decide by its `valid` only
   * @throws RequestError
   */
  async validate(
    license: { readonly serviceId: string; readonly hwid?: string; readonly key: string },
    timeoutMs: number = defaultTimeoutMs
  ): Promise<Validation> {
    const answer = await this.request({ type: 'validate', ...license }, timeoutMs)
    if (answer.type !== 'validation') throw new RequestError('PROTOCOL_ERROR', `answered by ${answer.type}`)
    const { type: _type, seq: _seq, re: _re, ...validation } = answer
    return validation
  }

  /**
   * Sends a heartbeat at once.
   * @returns the clock of the gateway, in unix milliseconds
   * @throws RequestError
   */
  async heartbeat(timeoutMs: number = defaultTimeoutMs): Promise<number> {
    const answer = await this.request({ type: 'heartbeat' }, timeoutMs)
    if (answer.type !== 'heartbeat') throw new RequestError('PROTOCOL_ERROR', `answered by ${answer.type}`)
    return answer.serverTime
  }

  /**
   * Publishes data once, even if the client reconnects before the answer, or if the gateway is unavailable for a while:
   * until the time is up, every attempt has the same idempotency key.
   * @param channel         1 to 128 of letters, digits, `_`, `.`, `:`, `-`
   * @param data            any value that JSON can represent, except `undefined`
   * @param idempotencyKey  1 to 64 characters; pass one to repeat a publish that timed out, within 5 minutes. Default: a
   *   unique one
   * @param timeoutMs       default 10,000
   * @throws RequestError, its `outcome` states whether the data may have been published; TypeError for data that JSON cannot represent
   */
  async publish(
    channel: string,
    data: unknown,
    { idempotencyKey = this.newIdempotencyKey(), timeoutMs = defaultTimeoutMs } = {}
  ): Promise<Published> {
    if (JSON.stringify(data) === undefined) throw new TypeError('data: a value that JSON cannot represent')
    const answer = await this.request({ type: 'publish', channel, data, idempotencyKey }, timeoutMs)
    if (answer.type !== 'published') throw new RequestError('PROTOCOL_ERROR', `answered by ${answer.type}`)
    const { type: _type, seq: _seq, re: _re, ...published } = answer
    return published
  }
}
