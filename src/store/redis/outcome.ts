import type { StoreOutcome } from '../errors.js'

/** Prefix of ioredis' messages for commands that it never wrote. These errors have neither a class nor a code. */
const neverWritten = [
  "Stream isn't writeable",
  // A Cluster's own queue, emptied when no node could be reached.
  'None of startup nodes is available'
]

/**
 * Error codes with which Redis refuses a command before it runs. In a script, its first write raises them, so nothing
 * was written before.
 */
const refusals = ['CLUSTERDOWN', 'LOADING', 'MASTERDOWN', 'MISCONF', 'NOAUTH', 'NOREPLICAS', 'OOM', 'READONLY']

function codeOf(error: Error): string {
  return error.message.split(' ', 1)[0] ?? ''
}

/** Whether Redis refused a command because it has reached `maxmemory`. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && codeOf(error) === 'OOM'
}

/** Whether ioredis never wrote the command. Its message then names an option of its constructor. */
export function isNeverWritten(error: unknown): boolean {
  return error instanceof Error && neverWritten.some(start => error.message.startsWith(start))
}

/**
 * Whether a failed command may have run.
 * @param error        the error of ioredis
 * @param isQueueing   whether a command without a connection waits in a queue instead of being rejected
 * @param statusAtCall the connection's status when the command was given to ioredis
 */
export function outcomeOf(error: unknown, statusAtCall: string, isQueueing: boolean): StoreOutcome {
  if (statusAtCall === 'end' || (!isQueueing && statusAtCall !== 'ready')) return 'unsent'
  if (!(error instanceof Error)) return 'unknown'
  if (isNeverWritten(error)) return 'unsent'
  return refusals.includes(codeOf(error)) ? 'unsent' : 'unknown'
}
