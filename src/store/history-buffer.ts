import type { StoredPublication } from './channels.js'

/** Bytes that many buffers hold together. */
export interface HistoryBudget {
  bytes: number
  /** A buffer drops its oldest publications while all of them together hold more. */
  readonly maxBytes: number
}

export interface HistoryBufferOptions {
  /** Most publications. */
  readonly maxCount: number
  /** Most bytes. */
  readonly maxBytes: number
  readonly budget: HistoryBudget
  /** Counted for each publication beside its data. Default 0. */
  readonly overheadBytes?: number
}

/** The newest publications of one channel, without a gap, bounded in number and bytes. */
export class HistoryBuffer {
  readonly #maxCount: number
  readonly #maxBytes: number
  readonly #budget: HistoryBudget
  readonly #overheadBytes: number
  #publications: StoredPublication[] = []
  #first = 0
  #bytes = 0

  constructor({ maxCount, maxBytes, budget, overheadBytes = 0 }: HistoryBufferOptions) {
    this.#maxCount = maxCount
    this.#maxBytes = maxBytes
    this.#budget = budget
    this.#overheadBytes = overheadBytes
  }

  get #count(): number {
    return this.#publications.length - this.#first
  }

  get #isOverBound(): boolean {
    return this.#count > this.#maxCount || this.#bytes > this.#maxBytes || this.#budget.bytes > this.#budget.maxBytes
  }

  #add(bytes: number): void {
    this.#bytes += bytes
    this.#budget.bytes += bytes
  }

  push(publication: StoredPublication): void {
    this.#publications.push(publication)
    this.#add(publication.data.length + this.#overheadBytes)
    while (this.#count > 0 && this.#isOverBound) {
      const oldest = this.#publications[this.#first++]
      if (oldest !== undefined) this.#add(-(oldest.data.length + this.#overheadBytes))
    }
    // Compacts once per `maxCount` publications instead of shifting the array each time.
    if (this.#first > this.#maxCount) {
      this.#publications = this.#publications.slice(this.#first)
      this.#first = 0
    }
  }

  /** The newest `count`, oldest first; undefined if the buffer does not hold that many. */
  newest(count: number): readonly StoredPublication[] | undefined {
    if (count > this.#count) return undefined
    return this.#publications.slice(this.#publications.length - count)
  }

  clear(): void {
    this.#add(-this.#bytes)
    this.#publications = []
    this.#first = 0
  }
}
