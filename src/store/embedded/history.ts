import type { StoredPublication } from '../channels.js'

/** What is kept of one channel: its newest publications, without a hole, bounded in number and bytes. */
export interface History {
  readonly length: number
  readonly bytes: number
  push(publication: StoredPublication): void
  /** The newest `count`; nothing where so many are not kept. */
  newest(count: number): readonly StoredPublication[] | undefined
  clear(): void
}

export function createHistory(maxSize: number, maxBytes: number): History {
  // Dropped ones are cut off in one go, when they are as many as may be kept.
  let kept: StoredPublication[] = []
  let start = 0
  let bytes = 0

  return {
    get length() {
      return kept.length - start
    },
    get bytes() {
      return bytes
    },
    push(publication) {
      kept.push(publication)
      bytes += publication.data.length
      while (kept.length - start > maxSize || bytes > maxBytes) bytes -= kept[start++]?.data.length ?? 0
      if (start > maxSize) {
        kept = kept.slice(start)
        start = 0
      }
    },
    newest(count) {
      return count > kept.length - start ? undefined : kept.slice(kept.length - count)
    },
    clear() {
      kept = []
      start = 0
      bytes = 0
    }
  }
}
