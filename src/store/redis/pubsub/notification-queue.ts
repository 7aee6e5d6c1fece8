/** Messages that wait. */
const defaultMaxWaiting = 20_000
/** Bytes of messages that wait. */
const defaultMaxWaitingBytes = 64 * 1024 * 1024
/** Handling yields to reading after this time, in milliseconds. */
const sliceMs = 10

interface NotificationQueueOptions {
  /** Most messages. Default 20,000. */
  readonly maxWaiting?: number
  /** Most bytes. Default 64 MiB. */
  readonly maxWaitingBytes?: number
}

/**
 * A bounded queue between Redis' read loop and the handler of its messages, so that reading never waits for handling.
 * Messages above a bound are dropped and counted, and the handler learns about the gap at its place in the order.
 */
export class NotificationQueue<Message> {
  readonly #handle: (message: Message) => void
  readonly #onGap: () => void
  readonly #maxWaiting: number
  readonly #maxWaitingBytes: number
  #messages: { message: Message; bytes: number }[] = []
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
    this.#maxWaiting = options.maxWaiting ?? defaultMaxWaiting
    this.#maxWaitingBytes = options.maxWaitingBytes ?? defaultMaxWaitingBytes
  }

  /** Messages that were dropped so far. */
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
      this.#next++
      this.#bytes -= first.bytes
      if (this.#beforeGap !== undefined) this.#beforeGap--
      this.#handle(first.message)
    }
    this.#messages = []
    this.#next = 0
  }
}
