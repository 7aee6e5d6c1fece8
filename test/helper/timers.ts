/** Timers that fire when a test advances the time. */
export interface ManualTimers {
  readonly setTimer: (call: () => void, ms: number) => unknown
  readonly clearTimer: (timer: unknown) => void
  /** Advances the time and calls the timers due, in order. */
  advance(ms: number): void
  /** Milliseconds by which the time was advanced. */
  now(): number
  /** Milliseconds until each running timer fires, ascending. */
  running(): number[]
}

export function createTimers(): ManualTimers {
  let time = 0
  let nextId = 1
  const timers = new Map<number, { at: number; call: () => void }>()
  return {
    setTimer(call, ms) {
      timers.set(nextId, { at: time + ms, call })
      return nextId++
    },
    clearTimer: timer => void timers.delete(Number(timer)),
    advance(ms) {
      const until = time + ms
      for (;;) {
        const [due] = [...timers].filter(([, { at }]) => at <= until).sort(([, a], [, b]) => a.at - b.at)
        if (due === undefined) break
        const [id, { at, call }] = due
        timers.delete(id)
        time = at
        call()
      }
      time = until
    },
    now: () => time,
    running: () => [...timers.values()].map(({ at }) => at - time).sort((a, b) => a - b)
  }
}
