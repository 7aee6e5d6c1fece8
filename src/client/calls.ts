import type { Downstream } from '../protocol/messages.js'
import { Emitter } from './events.js'
import type { ClientEvents, Published, Validation } from './options.js'
import { type Request, RequestError } from './requests.js'

const defaultTimeoutMs = 10_000

/** What a client can be asked: requests with one answer each. */
export abstract class Calls extends Emitter<ClientEvents> {
  /** A key that no other publication has. */
  protected abstract newKey(): string

  /** @throws RequestError */
  protected abstract request(message: Request['message'], timeoutMs: number): Promise<Downstream>

  /**
   * Whether a license key is good on a hardware id, now.
   * @param timeoutMs  default 10,000; meanwhile the client may reconnect and ask again
   * @throws RequestError
   */
  async validate(
    question: { readonly serviceId: string; readonly hwid?: string; readonly key: string },
    timeoutMs: number = defaultTimeoutMs
  ): Promise<Validation> {
    const answer = await this.request({ type: 'validate', ...question }, timeoutMs)
    if (answer.type !== 'validation') throw new RequestError('PROTOCOL_ERROR', `answered by ${answer.type}`)
    const { type: _type, seq: _seq, re: _re, ...validation } = answer
    return validation
  }

  /** A heartbeat out of turn. @returns the gateway's clock, unix milliseconds @throws RequestError */
  async heartbeat(timeoutMs: number = defaultTimeoutMs): Promise<number> {
    const answer = await this.request({ type: 'heartbeat' }, timeoutMs)
    if (answer.type !== 'heartbeat') throw new RequestError('PROTOCOL_ERROR', `answered by ${answer.type}`)
    return answer.serverTime
  }

  /**
   * Publishes, once, however often the connection breaks meanwhile.
   * @param data           what JSON can carry, and not `undefined`
   * @param idempotencyKey 1 to 64 characters; to be given where a publish that timed out is to be repeated later, within
   *   5 minutes. Default: a new one
   * @param timeoutMs      default 10,000
   * @throws RequestError
   */
  async publish(
    channel: string,
    data: unknown,
    { idempotencyKey = this.newKey(), timeoutMs = defaultTimeoutMs } = {}
  ): Promise<Published> {
    if (JSON.stringify(data) === undefined) throw new TypeError('data: nothing that JSON can carry')
    const answer = await this.request({ type: 'publish', channel, data, idempotencyKey }, timeoutMs)
    if (answer.type !== 'published') throw new RequestError('PROTOCOL_ERROR', `answered by ${answer.type}`)
    const { type: _type, seq: _seq, re: _re, ...published } = answer
    return published
  }
}
