import { matches } from '../auth/patterns.js'
import { dataDigest } from '../store/data-digest.js'
import type { CallTarget } from './directory.js'

/** The caller. */
export interface Caller {
  /** The caller's client, for the receiver; absent: the call came over HTTP. */
  readonly clientId?: string
  /** Patterns of the methods that may be called; undefined: every method. */
  readonly patterns: readonly string[] | undefined
  /** Owners whose quotas count the call, see store/owners.ts. */
  readonly owners: string
}

/** A call as its caller made it. */
export interface CallRequest {
  readonly caller: Caller
  readonly to: CallTarget
  readonly method: string
  /** JSON text; absent: no data. */
  readonly data?: string
  /** End of the caller's wait, in Unix milliseconds. */
  readonly expiresAt: number
  /** Id of the call in the store, see `recordIdOf`. */
  readonly recordId: string
  /** Whether the caller gave an idempotency key. */
  readonly isKeyed: boolean
  /** Hash of the request: equal for repeats under the same key. */
  readonly digest: string
}

export function createCallRequest(members: Omit<CallRequest, 'digest'>): CallRequest {
  return { ...members, digest: digestOf(members) }
}

/** Whether a caller may call a method of a client. */
export function mayCall({ patterns }: Caller, clientId: string, method: string): boolean {
  return patterns === undefined || matches(patterns, `${clientId}/${method}`)
}

/** Hashes the fields that repeats of a call must share; the target as written. */
function digestOf({ to, method, data = '' }: Omit<CallRequest, 'digest'>): string {
  return dataDigest(`${JSON.stringify(to)}\n${method}\n${data}`)
}
