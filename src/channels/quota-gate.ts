import { RateLimited } from '../protocol/protocol-error.js'
import type {
  ChannelPage,
  ChannelState,
  ChannelStore,
  PageRequest,
  Position,
  Published,
  PublishOptions
} from '../store/channels.js'
import { ShareExceeded, StoreUnavailable } from '../store/errors.js'
import { type MaybePromise, recoverFrom, whenReady } from '../store/maybe-promise.js'
import type { ClientQuotas, PublicationCost, QuotaAmounts } from './client-quotas.js'

/** Retry delay while the store has no capacity for more results of idempotency keys, in milliseconds. */
const retryFullStoreMs = 5000

const oneChannel: QuotaAmounts = { channels: 1 }

/** Checks the quotas of owners before the store is asked, and counts the effects of the store's answer. */
export class QuotaGate {
  readonly #quotas: ClientQuotas | undefined
  readonly #store: ChannelStore
  readonly #isKnown: (channel: string) => boolean

  /**
   * @param quotas   undefined: nothing is counted
   * @param isKnown  whether a channel is certainly in the store
   */
  constructor(quotas: ClientQuotas | undefined, store: ChannelStore, isKnown: (channel: string) => boolean) {
    this.#quotas = quotas
    this.#store = store
    this.#isKnown = isKnown
    if (quotas !== undefined) store.onDrop(dropped => quotas.creditDropped(dropped))
  }

  /** See `ChannelBroker`. @throws StoreUnavailable, RateLimited */
  publish(channel: string, data: string, options: PublishOptions): MaybePromise<Published | 'conflict'> {
    const { owners, publishedAt } = options
    const quotas = this.#quotas
    if (owners === undefined || quotas === undefined) return this.#store.publish(channel, data, options)
    const keptBytes = this.#store.bytesOf(data, owners)
    const hasKey = options.idempotencyKey !== '' && options.sessionId === undefined
    const cost = { owners, dataBytes: Buffer.byteLength(data), keptBytes, publishedAt, hasKey }
    const charged = recoverFrom(
      () => this.#charge(channel, cost, quotas),
      refusal => this.#answerRepeat(channel, data, options, refusal)
    )
    return whenReady(charged, repeat => repeat ?? this.#publishCharged(channel, data, options, cost, quotas))
  }

  /** @throws RateLimited, StoreUnavailable */
  #charge(channel: string, cost: PublicationCost, quotas: ClientQuotas): MaybePromise<undefined> {
    const { owners, keptBytes, hasKey } = cost
    const amounts = { historyBytes: keptBytes, idempotencyResults: hasKey ? 1 : 0, channels: 1 }
    return whenReady(this.requireChannel(owners, channel, amounts), () => void quotas.chargePublication(cost))
  }

  /**
   * @param amounts  amounts about to be charged, including one channel
   * @returns undefined if no read of the store is needed
   * @throws RateLimited if the owners may create no more channels and this one is unknown. @throws StoreUnavailable
   */
  requireChannel(owners: string, channel: string, amounts: QuotaAmounts = oneChannel): MaybePromise<void> {
    const quotas = this.#quotas
    if (quotas === undefined) return
    return whenReady(quotas.readUnknown(owners, amounts), () => {
      if (quotas.mayCreateChannel(owners) || this.#isKnown(channel)) return
      return this.#requireExisting(owners, channel, quotas)
    })
  }

  async #requireExisting(owners: string, channel: string, quotas: ClientQuotas): Promise<void> {
    if (!(await this.#store.exists(channel))) quotas.requireChannel(owners)
  }

  /** Returns the callback for a channel that was created for its owners. */
  onCreated(owners: string | undefined): (() => void) | undefined {
    return owners === undefined ? undefined : () => this.#quotas?.chargeChannel(owners, false)
  }

  /** Reads a channel from the store, and counts it if the read created it. @throws StoreUnavailable */
  async read(
    channel: string,
    after: Position | undefined,
    limit: number,
    owners: string | undefined
  ): Promise<ChannelState> {
    const created = new Set<string>()
    const state = await this.#store.read(channel, after, limit, created)
    if (created.size > 0) this.onCreated(owners)?.()
    return state
  }

  /** As {@link read}, for a page of the newest publications. @throws StoreUnavailable, RateLimited */
  async readPage(channel: string, request: PageRequest, owners: string | undefined): Promise<ChannelPage> {
    if (owners !== undefined) await this.requireChannel(owners, channel)
    const created = new Set<string>()
    const page = await this.#store.newest(channel, request, created)
    if (created.size > 0) this.onCreated(owners)?.()
    return page
  }

  #publishCharged(
    channel: string,
    data: string,
    options: PublishOptions,
    cost: PublicationCost,
    quotas: ClientQuotas
  ): MaybePromise<Published | 'conflict'> {
    const publishing = recoverFrom(
      () => this.#store.publish(channel, data, options),
      error => {
        if (error instanceof StoreUnavailable && error.outcome === 'unsent') quotas.cancelPublication(cost)
        if (error instanceof ShareExceeded) throw new RateLimited(`too many ${error.what}`, retryFullStoreMs)
        throw error
      }
    )
    return whenReady(publishing, published => {
      if (published === 'conflict' || published.duplicate) quotas.cancelPublication(cost)
      else if (published.offset === 1) quotas.chargeChannel(cost.owners, true)
      return published
    })
  }

  /** A repeat changes nothing, so it is answered even when a quota is used up. @throws refusal if it is not a repeat */
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
