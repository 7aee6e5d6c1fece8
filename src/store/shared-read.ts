/**
 * Shares reads: one runs at a time, and all callers that arrive meanwhile get the result of the next one. A result is
 * therefore never older than its call, and a flood of calls costs one read per round trip.
 * @param read  a rejection reaches all its callers
 */
export function shareReads<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  let next: Promise<T> | undefined

  function start(): Promise<T> {
    next = undefined
    const started = read().finally(() => {
      if (running === started) running = undefined
    })
    running = started
    return started
  }

  return () => {
    if (running === undefined) return start()
    next ??= running.then(start, start)
    return next
  }
}
