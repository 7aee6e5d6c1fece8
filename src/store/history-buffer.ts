import type { ChannelPage, StoredPublication } from './channels.js'
import { publicationBytes } from './memory-cost.js'

/** Bytes of many buffers together. */
export interface HistoryBudget {
  bytes: number
  /** A buffer drops its oldest publications while all of them together exceed this. */
  readonly maxBytes: number
}

export interface HistoryBufferOptions {
  /** Most publications. */
  readonly maxCount: number
  /** Most bytes, as `publicationBytes` counts them. */
  readonly maxBytes: number
  readonly budget: HistoryBudget
  /** Called for each dropped publication, for any reason. @param bytes  as `publicationBytes` counts them */
  readonly onDrop?: (publication: StoredPublication, bytes: number) => void
}

/** Slots of dropped publications in an array before it is copied. */
const maxDroppedPlaces = 32

/** The newest publications of one channel, without a gap, bounded in number and bytes. */
export class HistoryBuffer {
  readonly #options: HistoryBufferOptions
  // Dropped publications are set to undefined, so that their texts are freed at once.
  #publications: (StoredPublication | undefined)[] = []
  #first = 0
  #bytes = 0

  constructor(options: HistoryBufferOptions) {
    this.#options = options
  }

  /** Publications. */
  get count(): number {
    return this.#publications.length - this.#first
  }

  get #isOverBound(): boolean {
    const { maxCount, maxBytes, budget } = this.#options
    return this.count > maxCount || this.#bytes > maxBytes || budget.bytes > budget.maxBytes
  }

  #add(bytes: number): void {
    this.#bytes += bytes
    this.#options.budget.bytes += bytes
  }

  push(publication: StoredPublication): void {
    this.#publications.push(publication)
    this.#add(publicationBytes(publication.data, publication.owners))
    while (this.count > 0 && this.#isOverBound) this.#dropOldest()
    this.#compact()
  }

  /**
   * Drops publications from before a time.
   * @param time  unix milliseconds
   * @param most  drops at most this number
   */
  dropBefore(time: number, most: number): void {
    for (let i = 0; i < most; i++) {
      const oldest = this.#publications[this.#first]
      if (oldest === undefined || oldest.publishedAt >= time) break
      this.#dropOldest()
    }
    this.#compact()
  }

  #dropOldest(): void {
    const oldest = this.#publications[this.#first]
    if (oldest === undefined) return
    this.#publications[this.#first++] = undefined
    const bytes = publicationBytes(oldest.data, oldest.owners)
    this.#add(-bytes)
    this.#options.onDrop?.(oldest, bytes)
  }

  /** Copies the array once per as many drops as it has publications, instead of shifting it each time. */
  #compact(): void {
    if (this.#first <= maxDroppedPlaces || this.#first < this.count) return
    this.#publications = this.#publications.slice(this.#first)
    this.#first = 0
  }

  /** The newest `count`, oldest first; undefined if the buffer has fewer. */
  newest(count: number): readonly StoredPublication[] | undefined {
    if (count > this.count) return undefined
    return this.#publications.slice(this.#publications.length - count) as StoredPublication[]
  }

  /**
   * The newest publications below an offset, oldest first.
   * @param limit     most publications
   * @param maxBytes  most bytes of their data; at least one is returned if there is any
   */
  before(offset: number, limit: number, maxBytes: number): Omit<ChannelPage, 'top'> {
    const oldest = this.#publications[this.#first]
    if (oldest === undefined) return { publications: [], more: false }
    const end = Math.min(this.#publications.length, this.#first + Math.max(0, offset - oldest.offset))
    let start = end
    let bytes = 0
    while (start > this.#first && end - start < limit) {
      bytes += Buffer.byteLength(this.#publications[start - 1]?.data ?? '')
      if (bytes > maxBytes && start < end) break
      start--
    }
    const publications = this.#publications.slice(start, end) as StoredPublication[]
    return { publications, more: start > this.#first && end > this.#first }
  }

  clear(): void {
    if (this.#options.onDrop !== undefined) while (this.count > 0) this.#dropOldest()
    this.#add(-this.#bytes)
    this.#publications = []
    this.#first = 0
  }
}
