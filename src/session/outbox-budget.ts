/** Sent bytes of a session that the network has not accepted yet, as last counted. */
export interface OutboxAccount {
  countedBytes: number
}

/**
 * Bounds the outboxes of all sessions of this process together: many sessions that do not read would fill its memory,
 * each within its own bound (PROTOCOL §11). Counts are taken when a session sends and at every tick, so they are at
 * most a second too high.
 */
export class OutboxBudget {
  readonly maxBytes: number
  #usedBytes = 0
  /** Sessions with unsent bytes. */
  #holders = 0

  /** @param maxBytes  of all sessions together */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get bound(): { readonly name: string; readonly used: number; readonly limit: number } {
    return { name: 'outbox_bytes', used: this.#usedBytes, limit: this.maxBytes }
  }

  /** Sets a session's unsent bytes; 0 when it has ended. */
  count(account: OutboxAccount, bytes: number): void {
    const before = account.countedBytes
    if (before === bytes) return
    if (before === 0) this.#holders++
    else if (bytes === 0) this.#holders--
    this.#usedBytes += bytes - before
    account.countedBytes = bytes
  }

  /** Whether the total is above its bound and this session exceeds an equal share of it. */
  isOverShare({ countedBytes }: OutboxAccount): boolean {
    return this.#usedBytes > this.maxBytes && countedBytes * this.#holders > this.maxBytes
  }
}
