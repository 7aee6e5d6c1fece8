import { RateLimited } from '../protocol/protocol-error.js'
import type { ChannelState, ChannelStore, Position, Published, PublishOptions } from '../store/channels.js'
import { ShareExceeded, StoreUnavailable } from '../store/errors.js'
import type { ClientQuotas, PublicationCharge } from './client-quotas.js'

/** When to try again while the store has no capacity for more results of idempotency keys, in milliseconds. */
const retryFullStoreMs = 5000

/** Asks the quotas of an owner before the store is asked, and counts what the store then did. */
export class QuotaGate {
  readonly #quotas: ClientQuotas | undefined
  readonly #store: ChannelStore
  readonly #isKnown: (channel: string) => boolean

  /**
   * @param quotas   undefined: nothing is counted
   * @param isKnown  whether a channel certainly is in the store
   */
  constructor(quotas: ClientQuotas | undefined, store: ChannelStore, isKnown: (channel: string) => boolean) {
    this.#quotas = quotas
    this.#store = store
    this.#isKnown = isKnown
  }

  /** See `ChannelBroker`. @throws StoreUnavailable, RateLimited */
  async publish(channel: string, data: string, options: PublishOptions): Promise<Published | 'conflict'> {
    const { owner } = options
    if (owner === undefined || this.#quotas === undefined) return this.#store.publish(channel, data, options)
    let charge: PublicationCharge
    try {
      await this.requireChannel(owner, channel)
      charge = this.#quotas.chargePublication(owner, {
        dataBytes: Buffer.byteLength(data),
        keptBytes: this.#store.bytesOf(data),
        publishedAt: options.publishedAt,
        hasKey: options.idempotencyKey !== '' && options.sessionId === undefined
      })
    } catch (error) {
      return this.#answerRepeat(channel, data, options, error)
    }
    return this.#publishCharged(channel, data, { ...options, owner }, charge)
  }

  /** @throws RateLimited if the owner may create no more channels and this one is unknown. @throws StoreUnavailable */
  async requireChannel(owner: string, channel: string): Promise<void> {
    if (this.#quotas === undefined || this.#quotas.mayCreateChannel(owner) || this.#isKnown(channel)) return
    if (!(await this.#store.exists(channel))) this.#quotas.requireChannel(owner)
  }

  /** What to call when a channel was created for an owner. */
  onCreated(owner: string | undefined): (() => void) | undefined {
    return owner === undefined ? undefined : () => this.#quotas?.chargeChannel(owner, false)
  }

  /** Reads a channel from the store, and counts it if that created it. @throws StoreUnavailable */
  async read(
    channel: string,
    after: Position | undefined,
    limit: number,
    owner: string | undefined
  ): Promise<ChannelState> {
    const created = new Set<string>()
    const state = await this.#store.read(channel, after, limit, created)
    if (created.size > 0) this.onCreated(owner)?.()
    return state
  }

  async #publishCharged(
    channel: string,
    data: string,
    options: PublishOptions & { readonly owner: string },
    charge: PublicationCharge
  ): Promise<Published | 'conflict'> {
    try {
      const published = await this.#store.publish(channel, data, options)
      if (published === 'conflict') charge.cancel()
      else {
        charge.settle(published)
        if (published.offset === 1 && !published.duplicate) this.#quotas?.chargeChannel(options.owner, true)
      }
      return published
    } catch (error) {
      if (error instanceof StoreUnavailable && error.outcome === 'unsent') charge.cancel()
      if (error instanceof ShareExceeded) throw new RateLimited(`too many ${error.what}`, retryFullStoreMs)
      throw error
    }
  }

  /** A repeat changes nothing, so it is answered although a quota is used up. @throws refusal if it is no repeat */
  async #answerRepeat(
    channel: string,
    data: string,
    options: PublishOptions,
    refusal: unknown
  ): Promise<Published | 'conflict'> {
    const repeat = options.idempotencyKey === '' ? undefined : await this.#store.findRepeat(channel, data, options)
    if (repeat === undefined) throw refusal
    return repeat
  }
}
