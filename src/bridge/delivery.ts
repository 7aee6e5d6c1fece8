/**
 * How the frames of a commit reach the client (PROTOCOL §9.4 g): in the answer of the exchange that waits for them, or
 * in the answer of the held poll, which they wake.
 */
export type Delivery = 'inAnswer' | 'wakeHeldPoll'

/**
 * Issued by an exchange with its messages, and open for as long as the exchange waits for their answers. The client may
 * disconnect meanwhile, so the committer of the answers reads `delivery` once, after the messages ran.
 */
export class DeliveryTicket {
  #isOpen: boolean

  /** @param isOpen false when the exchange does not return frames: its poll number is not new (rule f) */
  constructor(isOpen: boolean) {
    this.#isOpen = isOpen
  }

  /** Ends the wait: the exchange has its answers, timed out, or lost its client. */
  close(): void {
    this.#isOpen = false
  }

  get delivery(): Delivery {
    return this.#isOpen ? 'inAnswer' : 'wakeHeldPoll'
  }
}
