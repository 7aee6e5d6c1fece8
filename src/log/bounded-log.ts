import { BoundWatch, type WatchedBound } from './bound-watch.js'
import { createFloodReports, type FloodReports } from './flood-reports.js'
import { createOutages } from './outages.js'
import { createRepeatedEvents, type RepeatedEvents } from './repeated-events.js'

/** Work that is refused or postponed while the store does not answer. */
export type StoreWork =
  | 'handshakes'
  | 'frames'
  | 'exchanges'
  | 'requests'
  | 'session ends'
  | 'challenges'
  | 'calls'
  | 'upkeep'

/** Bounded log lines about events that peers can cause at will, or that an outage causes thousands of times. */
export interface BoundedLog {
  /** Refused HTTP requests, by error code. */
  readonly requests: RepeatedEvents
  /** Failed handshakes, by reason. */
  readonly handshakes: RepeatedEvents
  /** Refused frames of sessions, by error code. */
  readonly frames: RepeatedEvents
  /** Peers above a rate. */
  readonly floods: FloodReports
  /**
   * Counts a failure of the store: one line when an outage begins and one when it ends.
   * @param error  a StoreUnavailable; its cause is logged as the reason
   */
  storeFailed(work: StoreWork, error: Error): void
  /** Writes a one-time warning. */
  warn(fields: object, message: string): void
  /** Counts a connection that was refused for lack of file descriptors: reported like an outage. */
  descriptorsUsedUp(): void
  /** Writes the lines that are due. Call it about once a second. @param bounds  current use of each bounded quantity */
  tick(bounds?: readonly WatchedBound[]): void
}

interface Lines {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/**
 * @param now           unix milliseconds
 * @param monotonicNow  milliseconds of a clock that does not jump
 */
export function createBoundedLog(log: Lines, now: () => number, monotonicNow: () => number): BoundedLog {
  const bounded = (message: string) =>
    createRepeatedEvents(now, (reason, suppressed) => log.info({ reason, suppressed }, message))
  const requests = bounded('more requests were refused in the last minute than are logged')
  const handshakes = bounded('more handshakes failed in the last minute than are logged')
  const frames = bounded('more frames were refused in the last minute than are logged')
  const floods = createFloodReports(monotonicNow, (who, refused) =>
    log.warn({ ...who, refused }, 'a peer is above its rate: RATE_LIMITED')
  )
  const outages = createOutages(
    monotonicNow,
    reason => log.warn({ reason }, 'the store does not serve this instance: an outage begins'),
    outage => log.warn(outage, 'the store serves this instance again: the outage has ended')
  )
  const usedUp = new Error('the limit of open files is reached')
  const descriptors = createOutages(
    monotonicNow,
    () => log.warn({}, 'no file descriptors are left: new connections are refused (raise ulimit -n)'),
    ({ failures }) => log.warn({ refused: failures }, 'file descriptors are free again: new connections are served')
  )
  const watch = new BoundWatch(bound =>
    log.warn(bound, 'a bound is nearly reached: what exceeds it will be refused (docs/operating.md, Limits)')
  )
  return {
    ...{ requests, handshakes, frames, floods },
    warn: (fields, message) => log.warn(fields, message),
    descriptorsUsedUp: () => descriptors.failed(usedUp),
    storeFailed: (work, error) => outages.failed(error.cause instanceof Error ? error.cause : error, work),
    tick(bounds = []) {
      for (const each of [requests, handshakes, frames, floods, outages, descriptors]) each.tick()
      watch.check(bounds)
    }
  }
}
