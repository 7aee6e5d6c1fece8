import { RateLimited } from '../protocol/protocol-error.js'

/**
 * Bytes of lists in the answers of one exchange: they must fit into the outbox beside the frames that already wait
 * there.
 */
export const maxExchangeListBytes = 262_144
/** Minimum budget to begin a list: one entry always fits. */
const leastListBytes = 40_960
/** Retry delay, in milliseconds: the client's next exchange has a new budget. */
const retryMs = 100

/** Bytes for answers with lists: on the bridge the answers of one exchange share them (PROTOCOL §11). */
export class ListBudget {
  readonly #listBytes: number
  #left = maxExchangeListBytes

  /** @param listBytes  of one list (PROTOCOL §11) */
  constructor(listBytes: number) {
    this.#listBytes = listBytes
  }

  /** Bytes that the next list may have. @throws RateLimited if the lists before it left too few */
  next(): number {
    if (this.#left < leastListBytes) {
      throw new RateLimited(
        `the answers of this exchange have ${maxExchangeListBytes} bytes of lists: ask again`,
        retryMs
      )
    }
    return Math.min(this.#listBytes, this.#left)
  }

  spend(bytes: number): void {
    this.#left -= bytes
  }
}
