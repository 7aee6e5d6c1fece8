import type { ChangeEvent } from '../store/change-event.js'
import { type Change, type DurableStore, type RecordKey, type StoredRecord, StoreUnavailable } from '../store/store.js'

/** Rounds of read, decide, commit until a change has lost every race. Each loss is another's success. */
const maxTries = 64

/** A registry's refusal: the thing asked for is not there, or is there already. */
export class RegistryError extends Error {
  override readonly name: string = 'RegistryError'
  readonly code: 'NOT_FOUND' | 'CONFLICT' | 'BAD_REQUEST'

  constructor(code: RegistryError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** What to make of a record, or a result without a change. */
export type Decision<T, R> =
  | { readonly write: T | 'remove'; readonly audit: Change['audit']; readonly event?: ChangeEvent; readonly result: R }
  | { readonly result: R }

/**
 * Reads a record, lets `decide` make a change of it, commits; again from the start when another changed it meanwhile.
 * @param decide  returns the new record, `remove`, or a result without a change; may throw
 */
export async function changeRecord<T, R>(
  records: DurableStore,
  key: RecordKey,
  decide: (current: T | undefined) => Decision<T, R> | Promise<Decision<T, R>>
): Promise<R> {
  for (let i = 0; i < maxTries; i++) {
    const stored = await records.get(key)
    const decision = await decide(stored === undefined ? undefined : readRecord<T>(stored))
    if (!('write' in decision)) return decision.result
    const { write, audit, event, result } = decision
    const expect = stored?.version ?? 0
    const committed = await records.commit({
      writes: [write === 'remove' ? { key, expect } : { key, expect, text: JSON.stringify(write) }],
      audit,
      ...(event === undefined ? {} : { event })
    })
    if (committed !== 'conflict') return result
  }
  throw new StoreUnavailable(new Error(`too many changes of ${key} at once`), 'unsent')
}

/** What this gateway wrote, and nobody else writes: the shape is that of the writer. */
export function readRecord<T>(stored: StoredRecord): T {
  return JSON.parse(stored.text) as T
}
