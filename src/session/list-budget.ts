import { RateLimited } from '../protocol/protocol-error.js'

/** Bytes of lists in the answers of one exchange: they must fit into the outbox beside what waits there already. */
export const maxExchangeListBytes = 262_144
/** A list is begun only if it may have this number of bytes: one entry always fits. */
const leastListBytes = 40_960
/** When a client may ask again, in milliseconds: its next exchange has a budget of its own. */
const retryMs = 100

/** The bytes that answers with lists may take: on the bridge the answers of one exchange share them (PROTOCOL §11). */
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
