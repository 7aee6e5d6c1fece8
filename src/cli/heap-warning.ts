import { getHeapStatistics } from 'node:v8'
import type { Config } from '../config/load.js'
import { sessionsThatFit } from '../store/memory-cost.js'
import type { ProcessLog } from './process-log.js'

const mib = 1024 * 1024

/**
 * Advice about a heap that is too small for the allowed sessions: a process whose heap is full ends.
 * @param maxSessions  COUNTERSIGN_MAX_SESSIONS
 * @param limitBytes   of the heap; default: of this process
 * @returns undefined if it is large enough
 */
export function heapWarning(
  maxSessions: number,
  limitBytes: number = getHeapStatistics().heap_size_limit
): string | undefined {
  const count = sessionsThatFit(limitBytes)
  if (count >= maxSessions) return undefined
  const size = `${Math.round(limitBytes / mib)} MiB`
  return (
    `the heap of this process is ${size}: enough for about ${count} idle sessions, and COUNTERSIGN_MAX_SESSIONS is ` +
    `${maxSessions}: raise it (NODE_OPTIONS=--max-old-space-size=MiB), or lower the setting`
  )
}

/** Logs a fault of this process's heap. */
export function warnOfHeap({ maxSessions }: Config, { logger }: ProcessLog): void {
  const warning = heapWarning(maxSessions)
  if (warning !== undefined) logger.warn({}, warning)
}
