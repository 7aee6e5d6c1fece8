import type { Redis } from '../ioredis.js'
import { LagProbe } from './lag-probe.js'
import { LivenessProbe } from './liveness-probe.js'
import { Subscriber } from './subscriber.js'
import type { SubscriptionForm } from './subscription-form.js'

export interface ReceivingConnectionOptions {
  /** Opens a connection that does not reconnect by itself. */
  readonly open: (attempt: number) => Redis
  readonly form: SubscriptionForm
  /** The name of this connection's probes. */
  readonly probeName: string
  /** Publishes a probe to it. */
  readonly probe: () => Promise<void>
  /** See `LivenessProbe`; in milliseconds. */
  readonly silenceMs: number
  readonly onMessage: (name: string, message: string) => void
  /** Messages may have been lost. */
  readonly onGap: () => void
  /** See `Subscriber`. */
  readonly onMoved: (names: readonly string[]) => void
  /** Whether messages may have been lost before the first connection, too. Default: false. */
  readonly hasMissed?: boolean
  /** The connection was replaced because it received nothing. */
  readonly onRestart: () => void
  readonly onError: (error: Error) => void
}

/** A receiving connection: a subscriber, a probe that detects a silent connection, and one that measures the lag. */
export class ReceivingConnection {
  /** Resolves when the first subscription succeeded or failed; attempts then continue. */
  readonly started: Promise<void>
  readonly #options: ReceivingConnectionOptions
  readonly #subscriber: Subscriber
  readonly #probe: LivenessProbe
  readonly #lag: LagProbe
  #mayHaveMissed: boolean

  constructor(options: ReceivingConnectionOptions) {
    this.#options = options
    const { probe, silenceMs, probeName, onError } = options
    this.#mayHaveMissed = options.hasMissed ?? false
    const now = () => performance.now()
    this.#probe = new LivenessProbe({ silenceMs, now, probe, restart: () => this.#restart() })
    this.#lag = new LagProbe(now, probe)
    this.#subscriber = new Subscriber({
      ...options,
      onMessage: (name, message) => this.#receive(name, message),
      onUp: isUp => this.#changeUp(isUp)
    })
    this.started = this.#subscriber.subscribe([probeName]).catch(onError)
  }

  get isReceiving(): boolean {
    return this.#subscriber.isUp && this.#probe.isReceiving
  }

  /** See `LagProbe`. */
  get lagMs(): number {
    return this.#lag.lagMs
  }

  /** See `Subscriber`. @throws StoreUnavailable after a timeout; the names stay requested */
  subscribe(names: readonly string[]): Promise<void> {
    return this.#subscriber.subscribe(names)
  }

  unsubscribe(names: readonly string[]): void {
    this.#subscriber.unsubscribe(names)
  }

  /** See `Subscriber`. @throws StoreUnavailable */
  renew(): Promise<void> {
    return this.#subscriber.renew()
  }

  /** Call it several times per interval of silence. */
  check(): void {
    this.#probe.check()
    if (this.#subscriber.isUp) this.#lag.check()
  }

  close(): void {
    this.#subscriber.close()
  }

  #receive(name: string, message: string): void {
    const wasReceiving = this.#probe.isReceiving
    this.#probe.received()
    if (name === this.#options.probeName) this.#lag.arrived()
    if (!wasReceiving) this.#options.onGap()
    this.#options.onMessage(name, message)
  }

  #changeUp(isUp: boolean): void {
    this.#probe.changeConnection(isUp)
    this.#lag.arrived(true)
    if (!isUp) return
    if (this.#mayHaveMissed) this.#options.onGap()
    this.#mayHaveMissed = true
  }

  #restart(): void {
    this.#options.onRestart()
    this.#options.onError(new Error("the subscriber's connection receives nothing, though publications are accepted"))
    this.#subscriber.restart()
  }
}
