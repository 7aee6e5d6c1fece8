/** A clock that only {@link FakeClock.advance} moves. */
export interface FakeClock {
  readonly now: () => number
  advance(ms: number): void
}

export function createClock(start = Date.parse('2026-11-22T12:00:00Z')): FakeClock {
  let time = start
  return {
    now: () => time,
    advance(ms) {
      time += ms
    }
  }
}
