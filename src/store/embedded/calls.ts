import { type CallStore, maxCallWaiters, type NewCall, type OpenedCall, type WantedCall } from '../calls.js'
import { ShareExceeded } from '../errors.js'
import { callOverheadBytes, shareOfHeap, textBytes } from '../memory-cost.js'
import type { StoreBound } from '../store.js'

/** Most bytes of calls and their results: at most a sixteenth of the heap, and at most this. */
const maxCallBytes = 256 * 1024 * 1024
const callHeapShare = 1 / 16

interface CallRecord {
  readonly callId: string
  readonly digest: string
  readonly owner: string
  readonly endsAt: number
  readonly waiters: readonly string[]
  readonly result?: string
}

export interface EmbeddedCalls extends CallStore {
  bounds(): readonly StoreBound[]
}

function bytesOf({ callId, waiters, result = '' }: CallRecord): number {
  return callOverheadBytes + callId.length + textBytes(result) + waiters.reduce((sum, text) => sum + text.length, 0)
}

/** Records of calls, with the use of each owner. */
class CallTable {
  readonly #now: () => number
  readonly #records = new Map<string, CallRecord>()
  readonly #bytesByOwner = new Map<string, number>()
  readonly #maxBytes: number
  #sweptAt = 0
  bytes = 0

  constructor(now: () => number, maxBytes: number) {
    this.#now = now
    this.#maxBytes = maxBytes
  }

  get(recordId: string): CallRecord | undefined {
    const record = this.#records.get(recordId)
    return record !== undefined && record.endsAt > this.#now() ? record : undefined
  }

  set(recordId: string, record: CallRecord): void {
    this.remove(recordId)
    this.#records.set(recordId, record)
    this.#count(record.owner, bytesOf(record))
  }

  remove(recordId: string): void {
    const record = this.#records.get(recordId)
    if (record === undefined) return
    this.#records.delete(recordId)
    this.#count(record.owner, -bytesOf(record))
  }

  /** @throws ShareExceeded at the bound, for an owner above an equal share */
  makeCapacity(owner: string): void {
    this.#removeEnded()
    if (this.bytes < this.#maxBytes) return
    const share = this.#maxBytes / Math.max(this.#bytesByOwner.size, 1)
    if ((this.#bytesByOwner.get(owner) ?? 0) >= share) throw new ShareExceeded('calls', this.#records.size)
  }

  /** Scans all records, at most once a second. */
  #removeEnded(): void {
    const now = this.#now()
    if (now - this.#sweptAt < 1000 && this.bytes < this.#maxBytes) return
    this.#sweptAt = now
    for (const [recordId, { endsAt }] of this.#records) if (endsAt <= now) this.remove(recordId)
  }

  #count(owner: string, bytes: number): void {
    this.bytes += bytes
    const sum = (this.#bytesByOwner.get(owner) ?? 0) + bytes
    if (sum === 0) this.#bytesByOwner.delete(owner)
    else this.#bytesByOwner.set(owner, sum)
  }
}

/**
 * Calls in memory, for one process.
 * @param now       unix milliseconds
 * @param maxBytes  total bound in bytes. Default: a sixteenth of the heap, 256 MiB at most
 */
export function createEmbeddedCalls(
  now: () => number,
  maxBytes: number = shareOfHeap(callHeapShare, maxCallBytes)
): EmbeddedCalls {
  const table = new CallTable(now, maxBytes)
  const listeners = new Map<string, (text: string) => void>()

  function join({ recordId, digest, waiter, others = [] }: WantedCall & Pick<NewCall, 'waiter' | 'others'>) {
    const record = table.get(recordId)
    if (record === undefined) return undefined
    if (record.digest !== digest) return { kind: 'conflict' } as const
    const { callId, result } = record
    if (result !== undefined) return { kind: 'repeated', callId, result } as const
    table.set(recordId, { ...record, waiters: [...record.waiters, ...others, waiter].slice(-maxCallWaiters) })
    return { kind: 'repeated', callId } as const
  }

  return {
    async open(call): Promise<OpenedCall> {
      const joined = join(call)
      if (joined !== undefined) return joined
      const { recordId, callId, digest, lifeMs, owner, waiter, others = [] } = call
      const waiters = [...others, waiter].slice(-maxCallWaiters)
      table.makeCapacity(owner)
      table.set(recordId, { callId, digest, owner, endsAt: now() + lifeMs, waiters })
      return { kind: 'opened' }
    },
    join: async call => join(call),
    async settle(recordId, callId, result) {
      const record = table.get(recordId)
      if (record?.callId !== callId) return { kind: 'missing' }
      if (record.result !== undefined) return { kind: 'repeated' }
      table.set(recordId, { ...record, waiters: [], result })
      return { kind: 'settled', waiters: record.waiters }
    },
    async drop(recordId, callId) {
      const record = table.get(recordId)
      if (record?.callId !== callId) return []
      table.remove(recordId)
      return record.waiters
    },
    async result({ recordId, digest }) {
      const record = table.get(recordId)
      return record?.digest === digest ? record.result : undefined
    },
    async send(instanceId, text) {
      const listener = listeners.get(instanceId)
      listener?.(text)
      return listener !== undefined
    },
    listen(instanceId, listener) {
      listeners.set(instanceId, listener)
      return () => void listeners.delete(instanceId)
    },
    bounds: () => [{ name: 'call_bytes', used: table.bytes, limit: maxBytes }]
  }
}
