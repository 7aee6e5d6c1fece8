import type { ChannelCounts, ChannelListener } from '../../channels.js'
import { parsePublication } from '../channel-messages.js'
import type { Redis } from '../ioredis.js'
import { LagProbe } from './lag-probe.js'
import { defaultSilenceMs, LivenessProbe } from './liveness-probe.js'
import { NotificationQueue } from './notification-queue.js'
import { Subscriber } from './subscriber.js'

/** Checks of the liveness probe per interval of silence. */
const checksPerSilence = 5

export interface PublicationReceiverOptions {
  /** Opens a connection that does not reconnect by itself. */
  readonly open: (attempt: number) => Redis
  /** The Redis channel of a channel: a prefix, then the channel in braces. */
  readonly nameOf: (channel: string) => string
  readonly probeChannel: string
  /** Publishes to `probeChannel`. */
  readonly probe: () => Promise<void>
  /** See `LivenessProbe`; in milliseconds. */
  readonly silenceMs?: number
  /** See `NotificationQueue`. */
  readonly maxWaiting?: number
  readonly onError: (error: Error) => void
}

interface Notification {
  readonly name: string
  readonly message: string
}

/** Receives publications: a subscriber, a queue in front of the listener, and a probe that detects a silent connection. */
export class PublicationReceiver {
  readonly counts: ChannelCounts = { dropped: 0, restarts: 0 }
  /** Resolves when the first subscription succeeded or failed; attempts then go on. */
  readonly started: Promise<void>
  readonly #nameOf: (channel: string) => string
  readonly #nameStart: number
  readonly #onError: (error: Error) => void
  readonly #queue: NotificationQueue<Notification>
  readonly #subscriber: Subscriber
  readonly #probe: LivenessProbe
  readonly #lag: LagProbe
  readonly #probeName: string
  readonly #listening = new Set<string>()
  readonly #checkTimer: NodeJS.Timeout
  #listener: ChannelListener | undefined
  #wasUp = false

  constructor(options: PublicationReceiverOptions) {
    const { open, nameOf, probeChannel, probe, silenceMs = defaultSilenceMs, onError } = options
    this.#nameOf = nameOf
    this.#nameStart = nameOf('').indexOf('{') + 1
    this.#onError = onError
    this.#queue = new NotificationQueue(
      notification => this.#handle(notification),
      () => this.#listener?.mayHaveMissed(),
      options
    )
    this.#probe = new LivenessProbe({
      silenceMs,
      now: () => performance.now(),
      probe,
      restart: () => this.#restart()
    })
    this.#lag = new LagProbe(() => performance.now(), probe)
    this.#probeName = nameOf(probeChannel)
    this.#subscriber = new Subscriber({
      open,
      onError,
      onMessage: (name, message) => this.#receive(name, message),
      onUp: isUp => this.#changeUp(isUp)
    })
    this.started = this.#subscriber.subscribe([nameOf(probeChannel)]).catch(onError)
    this.#checkTimer = setInterval(() => this.#check(), silenceMs / checksPerSilence)
    this.#checkTimer.unref()
  }

  get isReceiving(): boolean {
    return this.#subscriber.isUp && this.#probe.isReceiving
  }

  /** See `LagProbe`. */
  get lagMs(): number {
    return this.#lag.lagMs
  }

  #check(): void {
    this.#probe.check()
    if (this.#subscriber.isUp) this.#lag.check()
  }

  async listen(channels: readonly string[]): Promise<void> {
    for (const channel of channels) this.#listening.add(channel)
    await this.#subscriber.subscribe(channels.map(this.#nameOf))
  }

  unlisten(channels: readonly string[]): void {
    for (const channel of channels) this.#listening.delete(channel)
    this.#subscriber.unsubscribe(channels.map(this.#nameOf))
  }

  onPublication(listener: ChannelListener): void {
    this.#listener = listener
  }

  close(): void {
    clearInterval(this.#checkTimer)
    this.#subscriber.close()
    this.#queue.clear()
  }

  #receive(name: string, message: string): void {
    const wasReceiving = this.#probe.isReceiving
    this.#probe.received()
    if (name === this.#probeName) this.#lag.arrived()
    if (!wasReceiving) this.#listener?.mayHaveMissed()
    this.#queue.enqueue({ name, message }, message.length)
    this.counts.dropped = this.#queue.dropped
  }

  #handle({ name, message }: Notification): void {
    const channel = name.slice(this.#nameStart, -1)
    if (!this.#listening.has(channel)) return
    const { epoch, publication } = parsePublication(message)
    this.#listener?.publication(channel, epoch, publication)
  }

  #changeUp(isUp: boolean): void {
    this.#probe.changeConnection(isUp)
    this.#lag.arrived(true)
    if (isUp && this.#wasUp) this.#listener?.mayHaveMissed()
    this.#wasUp ||= isUp
  }

  #restart(): void {
    this.counts.restarts++
    this.#onError(new Error("the subscriber's connection receives nothing, though publications are accepted"))
    this.#subscriber.restart()
  }
}
