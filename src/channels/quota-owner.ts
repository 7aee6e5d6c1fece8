import type { QuotaUpdate } from '../store/quotas.js'
import { QuotaLedger } from './quota-ledger.js'
import { type KeptQuota, keptQuotas, type QuotaRules } from './quotas.js'

/** Amounts on their way to the store. */
export interface AmountsToAdd {
  readonly update: QuotaUpdate
  /** Makes them pending again, since the store did not get them. */
  readonly restore: () => void
}

/** One owner of amounts: a client, a token, or all tickets of a token. */
export class QuotaOwner {
  readonly name: string
  /** The theoretical arrival time of the next byte (generic cell rate algorithm), unix milliseconds. */
  arrival = 0
  /** When the store last returned the counts of all instances, in Unix milliseconds. */
  readAt = Number.NEGATIVE_INFINITY
  /** The running read. */
  reading: Promise<void> | undefined
  readonly #rules: QuotaRules
  readonly #ledgers = new Map<KeptQuota, QuotaLedger>()
  #endedFields: readonly string[] = []

  constructor(name: string, rules: QuotaRules) {
    this.name = name
    this.#rules = rules
  }

  used(quota: KeptQuota, now: number): number {
    return this.#ledgers.get(quota)?.used(now) ?? 0
  }

  /** Amounts of a quota that this instance has not yet sent to the store. */
  pending(quota: KeptQuota): number {
    return this.#ledgers.get(quota)?.pending ?? 0
  }

  /** When part of its use of a quota ends, in Unix milliseconds; 0 if it uses nothing. */
  nextEnd(quota: KeptQuota): number {
    return this.#ledgers.get(quota)?.nextEnd ?? 0
  }

  add(quota: KeptQuota, amount: number, endsAt: number, now: number): void {
    let ledger = this.#ledgers.get(quota)
    if (ledger === undefined) {
      ledger = new QuotaLedger(this.#rules[quota].bucketMs)
      this.#ledgers.set(quota, ledger)
    }
    ledger.add(amount, endsAt, now)
  }

  isIdle(now: number): boolean {
    return this.arrival <= now && keptQuotas.every(quota => this.used(quota, now) === 0)
  }

  /** Returns amounts that the store does not have yet. They are no longer pending, but still counted. */
  beginUpdate(): AmountsToAdd {
    const sent = [...this.#ledgers].map(([quota, ledger]) => ({ quota, ledger, amounts: ledger.removePending() }))
    const amounts = sent.flatMap(({ quota, amounts }) =>
      [...amounts].map(([bucket, amount]) => ({ field: `${this.#rules[quota].name}:${bucket}`, amount }))
    )
    const lives = sent.map(({ quota }) => this.#rules[quota].maxLifeMs + this.#rules[quota].bucketMs)
    const lifeMs = Math.max(0, ...lives)
    return {
      update: { owner: this.name, amounts, ended: this.#endedFields, lifeMs },
      restore() {
        for (const { ledger, amounts } of sent) ledger.restore(amounts)
      }
    }
  }

  /** Sets the amounts of all instances, as the store has them. */
  store(stored: ReadonlyMap<string, number>, now: number): void {
    const ended: string[] = []
    this.readAt = now
    for (const quota of keptQuotas) {
      const { name, bucketMs } = this.#rules[quota]
      const byBucket = new Map<number, number>()
      for (const [field, amount] of stored) {
        if (!field.startsWith(`${name}:`)) continue
        const bucket = Number(field.slice(name.length + 1))
        if (bucket * bucketMs > now) byBucket.set(bucket, amount)
        else ended.push(field)
      }
      if (byBucket.size > 0) this.add(quota, 0, 0, now)
      this.#ledgers.get(quota)?.store(byBucket)
    }
    this.#endedFields = ended
  }
}
