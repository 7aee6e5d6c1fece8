/**
 * Between Redis' read loop and whoever handles its messages: the loop never waits for them, and what waits is bounded.
 * Beyond the bounds messages are dropped and counted, and after what had come before it is told that some are missing.
 */
export interface NotificationQueue<Message> {
  put(message: Message, bytes: number): void
  /** Messages that were dropped, ever. */
  readonly dropped: number
  clear(): void
}

/** Messages that wait. */
export const maxWaiting = 20_000
/** Bytes of messages that wait. */
export const maxWaitingBytes = 64 * 1024 * 1024
/** Handling goes on for so long before reading has its turn again, in milliseconds. */
const sliceMs = 10

interface InboxOptions {
  readonly maxWaiting?: number
  readonly maxWaitingBytes?: number
}

/**
 * @param handle   called for each message, in order
 * @param missing  called where messages were dropped, in their place
 */
export function createNotificationQueue<Message>(
  handle: (message: Message) => void,
  missing: () => void,
  { maxWaiting: most = maxWaiting, maxWaitingBytes: mostBytes = maxWaitingBytes }: InboxOptions = {}
): NotificationQueue<Message> {
  let waiting: { message: Message; bytes: number }[] = []
  let next = 0
  let bytes = 0
  let dropped = 0
  // How many of those that wait come before the gap.
  let beforeGap: number | undefined
  let scheduled = false

  function handleSome(): void {
    scheduled = false
    const end = performance.now() + sliceMs
    for (;;) {
      if (beforeGap === 0) {
        beforeGap = undefined
        missing()
      }
      const first = waiting[next]
      if (first === undefined) break
      if (performance.now() > end) {
        schedule()
        return
      }
      next++
      bytes -= first.bytes
      if (beforeGap !== undefined) beforeGap--
      handle(first.message)
    }
    waiting = []
    next = 0
  }

  function schedule(): void {
    if (scheduled) return
    scheduled = true
    setImmediate(handleSome)
  }

  return {
    put(message, size) {
      if (waiting.length - next >= most || bytes + size > mostBytes) {
        dropped++
        beforeGap ??= waiting.length - next
        return schedule()
      }
      // What was handled is cut off before it is as much as may wait.
      if (next >= most) {
        waiting = waiting.slice(next)
        next = 0
      }
      waiting.push({ message, bytes: size })
      bytes += size
      schedule()
    },
    get dropped() {
      return dropped
    },
    clear() {
      waiting = []
      next = 0
      bytes = 0
      beforeGap = undefined
    }
  }
}
