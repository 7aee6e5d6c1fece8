/** Most waiting notifications of publications. */
export const maxNotifications = 20_000
/** Most bytes of waiting notifications. */
export const maxNotificationBytes = 64 * 1024 * 1024
/** Handling yields to reading after this time, in milliseconds. */
const sliceMs = 10

interface NotificationQueueOptions {
  /** Default: {@link maxNotifications}. */
  readonly maxWaiting?: number
  /** Default: {@link maxNotificationBytes}. */
  readonly maxWaitingBytes?: number
}

/**
 * A bounded queue between Redis' read loop and the handler of its messages, so that reading never waits for handling.
 * Messages above a bound are dropped and counted, and the handler is notified of the gap at its place in the order.
 */
export class NotificationQueue<Message> {
  readonly #handle: (message: Message) => void
  readonly #onGap: () => void
  readonly #maxWaiting: number
  readonly #maxWaitingBytes: number
  /** Those before `#next` are handled, and no longer referenced. */
  #messages: ({ readonly message: Message; readonly bytes: number } | undefined)[] = []
  #next = 0
  #bytes = 0
  #dropped = 0
  /** The number of waiting messages before the gap. */
  #beforeGap: number | undefined
  #isScheduled = false

  /**
   * @param handle  called for each message, in order
   * @param onGap   called in place of dropped messages
   */
  constructor(handle: (message: Message) => void, onGap: () => void, options: NotificationQueueOptions = {}) {
    this.#handle = handle
    this.#onGap = onGap
    this.#maxWaiting = options.maxWaiting ?? maxNotifications
    this.#maxWaitingBytes = options.maxWaitingBytes ?? maxNotificationBytes
  }

  /** Number of dropped messages. */
  get dropped(): number {
    return this.#dropped
  }

  get #waiting(): number {
    return this.#messages.length - this.#next
  }

  enqueue(message: Message, bytes: number): void {
    this.#schedule()
    if (this.#waiting >= this.#maxWaiting || this.#bytes + bytes > this.#maxWaitingBytes) {
      this.#dropped++
      this.#beforeGap ??= this.#waiting
      return
    }
    // Compacts once per `maxWaiting` messages instead of shifting the array each time.
    if (this.#next >= this.#maxWaiting) {
      this.#messages = this.#messages.slice(this.#next)
      this.#next = 0
    }
    this.#messages.push({ message, bytes })
    this.#bytes += bytes
  }

  clear(): void {
    this.#messages = []
    this.#next = 0
    this.#bytes = 0
    this.#beforeGap = undefined
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.#handleSome())
  }

  #handleSome(): void {
    this.#isScheduled = false
    const end = performance.now() + sliceMs
    for (;;) {
      if (this.#beforeGap === 0) {
        this.#beforeGap = undefined
        this.#onGap()
      }
      const first = this.#messages[this.#next]
      if (first === undefined) break
      if (performance.now() > end) {
        this.#schedule()
        return
      }
      this.#messages[this.#next++] = undefined
      this.#bytes -= first.bytes
      if (this.#beforeGap !== undefined) this.#beforeGap--
      this.#handle(first.message)
    }
    this.#messages = []
    this.#next = 0
  }
}
