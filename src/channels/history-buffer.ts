import type { StoredPublication } from '../store/channels.js'

/** Bytes that all rings of an instance hold, and may. */
export interface HistoryBudget {
  bytes: number
  readonly maxBytes: number
}

/** What a publication costs beside its data. */
const overheadBytes = 64

function bytesOf({ data }: StoredPublication): number {
  return data.length + overheadBytes
}

/** The newest publications of one channel, without a hole. A cache: what it has dropped is in the store. */
export class HistoryBuffer {
  readonly #budget: HistoryBudget
  readonly #maxCount: number
  readonly #maxBytes: number
  #kept: StoredPublication[] = []
  #first = 0
  #bytes = 0

  constructor(budget: HistoryBudget, maxCount: number, maxBytes: number) {
    this.#budget = budget
    this.#maxCount = maxCount
    this.#maxBytes = maxBytes
  }

  get #count(): number {
    return this.#kept.length - this.#first
  }

  #add(bytes: number): void {
    this.#bytes += bytes
    this.#budget.bytes += bytes
  }

  push(publication: StoredPublication): void {
    this.#kept.push(publication)
    this.#add(bytesOf(publication))
    const { maxBytes } = this.#budget
    while (
      this.#count > 0 &&
      (this.#count > this.#maxCount || this.#bytes > this.#maxBytes || this.#budget.bytes > maxBytes)
    ) {
      const oldest = this.#kept[this.#first]
      if (oldest !== undefined) this.#add(-bytesOf(oldest))
      this.#first++
    }
    // Moved down once in a while rather than each time.
    if (this.#first > this.#maxCount) {
      this.#kept = this.#kept.slice(this.#first)
      this.#first = 0
    }
  }

  /** The last `count`, oldest first; nothing where they are not all here. */
  last(count: number): readonly StoredPublication[] | undefined {
    if (count > this.#count) return undefined
    return this.#kept.slice(this.#kept.length - count)
  }

  clear(): void {
    this.#add(-this.#bytes)
    this.#kept = []
    this.#first = 0
  }
}
