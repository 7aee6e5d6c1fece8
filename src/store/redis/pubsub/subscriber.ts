import { retryDelay } from '../connections.js'
import type { Redis } from '../ioredis.js'
import type { SubscriptionForm } from './subscription-form.js'
import { SubscriptionWaiters } from './subscription-waiters.js'

/** Names per SUBSCRIBE or UNSUBSCRIBE command. */
export const subscribeBatch = 500
/** Successive failures after which the pause between connections no longer grows. */
const maxFailures = 10

export interface SubscriberOptions {
  /** Opens a connection that does not reconnect by itself. */
  readonly open: (attempt: number) => Redis
  readonly form: SubscriptionForm
  readonly onMessage: (name: string, message: string) => void
  /** Called with true when every requested name is subscribed, with false when the connection breaks. */
  readonly onUp: (isUp: boolean) => void
  /**
   * Another node of the Cluster serves these names: they stay requested, but are not subscribed. Empty if the server
   * ended subscriptions of slots that it no longer serves.
   */
  readonly onMoved: (names: readonly string[]) => void
  readonly onError: (error: Error) => void
}

/**
 * Keeps the requested names subscribed, over any number of connections. It uses a separate connection: Redis may close
 * it for exceeding its output limits, which must not affect commands. Names are subscribed in batches, one batch at a
 * time, so that neither concurrent requests nor a reconnection cause a huge command or a storm of small ones.
 */
export class Subscriber {
  readonly #options: SubscriberOptions
  readonly #requested = new Set<string>()
  // On the current connection: sent, and confirmed.
  readonly #sent = new Set<string>()
  readonly #subscribed = new Set<string>()
  /** Names whose request and subscription may differ. */
  readonly #changed = new Set<string>()
  readonly #waiters = new SubscriptionWaiters()
  #connection: Redis | undefined
  // Random, so that instances do not all begin at the same node of a Cluster.
  #attempts = Math.floor(Math.random() * 1000)
  #failures = 0
  #isReady = false
  #isUp = false
  #isSyncing = false
  #isClosed = false
  #reconnectTimer: NodeJS.Timeout | undefined

  constructor(options: SubscriberOptions) {
    this.#options = options
    this.#connect()
  }

  /** Whether every requested name is subscribed, apart from requests just made. */
  get isUp(): boolean {
    return this.#isUp
  }

  /** Resolves when all names are subscribed. @throws StoreUnavailable after a timeout; the names stay requested */
  async subscribe(names: readonly string[]): Promise<void> {
    const missing = new Set<string>()
    for (const name of names) {
      this.#requested.add(name)
      if (this.#subscribed.has(name)) continue
      missing.add(name)
      if (this.#isReady) this.#changed.add(name)
    }
    if (missing.size === 0) return
    this.#schedule()
    await this.#waiters.wait([...missing])
  }

  unsubscribe(names: readonly string[]): void {
    for (const name of names) {
      if (this.#requested.delete(name) && this.#isReady) this.#changed.add(name)
      // Another request for it has to wait for a confirmation again.
      this.#subscribed.delete(name)
    }
    this.#schedule()
  }

  /** Subscribes all names again, because the server may have ended some subscriptions. @throws StoreUnavailable */
  renew(): Promise<void> {
    this.#sent.clear()
    this.#subscribed.clear()
    return this.subscribe([...this.#requested])
  }

  /** Closes the connection and opens another. */
  restart(): void {
    this.#connection?.disconnect()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#reconnectTimer)
    this.#connection?.disconnect()
  }

  #connect(): void {
    const { open, form, onError, onMessage, onMoved } = this.#options
    const redis = open(this.#attempts++)
    this.#connection = redis
    redis.on('error', onError)
    redis.on(form.event, onMessage)
    redis.on('moved', () => onMoved([]))
    redis.once('ready', () => {
      this.#isReady = true
      for (const name of this.#requested) this.#changed.add(name)
      this.#schedule()
    })
    redis.once('end', () => this.#onEnd())
  }

  #onEnd(): void {
    const wasUp = this.#isUp
    this.#isReady = false
    this.#isUp = false
    this.#sent.clear()
    this.#subscribed.clear()
    this.#changed.clear()
    if (this.#isClosed) return
    if (wasUp) this.#options.onUp(false)
    const pauseMs = retryDelay(Math.min(++this.#failures, maxFailures))
    this.#reconnectTimer = setTimeout(() => this.#connect(), pauseMs)
  }

  #schedule(): void {
    if (this.#isReady) setImmediate(() => this.#sync())
  }

  /** Subscribes and unsubscribes until nothing changes. */
  async #sync(): Promise<void> {
    const redis = this.#connection
    if (redis === undefined || !this.#isReady || this.#isSyncing) return
    this.#isSyncing = true
    try {
      while (this.#changed.size > 0 && this.#isReady && redis === this.#connection) await this.#syncBatch(redis)
    } catch (error) {
      this.#options.onError(error instanceof Error ? error : new Error(String(error)))
      // The subscriptions of this connection are now unknown.
      if (redis === this.#connection) this.#isReady = false
      redis.disconnect()
    }
    this.#isSyncing = false
    // The connection may have been replaced meanwhile.
    if (this.#changed.size > 0 || redis !== this.#connection) this.#schedule()
    else if (this.#isReady && !this.#isUp) {
      this.#isUp = true
      this.#failures = 0
      this.#options.onUp(true)
    }
  }

  async #syncBatch(redis: Redis): Promise<void> {
    const { form, onMoved } = this.#options
    const { joining, leaving } = this.#nextBatch()
    const [moved] = await Promise.all([
      joining.length > 0 ? form.subscribe(redis, joining) : [],
      leaving.length > 0 ? form.unsubscribe(redis, leaving) : undefined
    ])
    if (redis !== this.#connection || !this.#isReady) return
    for (const name of moved) this.#sent.delete(name)
    for (const name of joining) if (this.#sent.has(name)) this.#confirm(name)
    if (moved.length > 0) onMoved(moved)
  }

  #nextBatch(): { readonly joining: readonly string[]; readonly leaving: readonly string[] } {
    const joining: string[] = []
    const leaving: string[] = []
    for (const name of this.#changed) {
      if (joining.length + leaving.length >= subscribeBatch) break
      this.#changed.delete(name)
      const isRequested = this.#requested.has(name)
      if (isRequested && this.#sent.has(name)) this.#confirm(name)
      else if (isRequested) {
        joining.push(name)
        this.#sent.add(name)
      } else if (this.#sent.delete(name)) {
        leaving.push(name)
        this.#subscribed.delete(name)
      }
    }
    return { joining, leaving }
  }

  #confirm(name: string): void {
    this.#subscribed.add(name)
    this.#waiters.confirm(name)
  }
}
