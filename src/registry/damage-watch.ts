import { type DamageCheck, lostParts } from '../store/store.js'
import type { IdentityWatch } from './identity-watch.js'
import type { RegistryLog } from './unreadable.js'

/** Interval between checks, in milliseconds. */
const checkEveryMs = 10_000
/** Interval between examinations of every key while the store is damaged, in milliseconds. */
const findEveryMs = 60_000

export interface DamageWatchOptions {
  readonly damage: DamageCheck
  readonly identity: Pick<IdentityWatch, 'onBack'>
  readonly log: RegistryLog
  /** Unix milliseconds. */
  readonly now: () => number
}

const whatToDo =
  'what can be read is served, but lists and backups are refused, since they would leave records out. Set ' +
  'maxmemory-policy noeviction, empty the store, and run `countersign restore FILE` with a backup'

/** Detects that the store has lost an index or its audit log. Call {@link tick} about once a second. */
export class DamageWatch {
  readonly #options: DamageWatchOptions
  #problem: string | undefined
  #checkedAt = Number.NEGATIVE_INFINITY
  #foundAt = Number.NEGATIVE_INFINITY

  constructor(options: DamageWatchOptions) {
    this.#options = options
    // A restore brings lost indexes back.
    options.identity.onBack(() => this.#checkAgain())
  }

  /** Description of the loss; undefined if none is known. */
  get problem(): string | undefined {
    return this.#problem
  }

  #checkAgain(): void {
    this.#checkedAt = Number.NEGATIVE_INFINITY
    this.#foundAt = Number.NEGATIVE_INFINITY
  }

  /** Logs each loss once. @throws StoreUnavailable */
  async tick(): Promise<void> {
    const { damage, now } = this.#options
    const at = now()
    if (Math.abs(at - this.#checkedAt) < checkEveryMs) return
    this.#checkedAt = at
    const isDue = this.#problem !== undefined && Math.abs(at - this.#foundAt) >= findEveryMs
    if (!(await damage.isSuspect()) && !isDue) return
    this.#foundAt = at
    this.#settle(lostParts(await damage.find()))
  }

  #settle(lost: readonly string[]): void {
    const { log } = this.#options
    const before = this.#problem
    this.#problem = lost.length === 0 ? undefined : `the store has lost ${lost.join(' and ')}`
    if (this.#problem === before) return
    if (this.#problem === undefined) log.warn({}, 'the store is whole again')
    else log.warn({ lost }, `${this.#problem}: ${whatToDo}`)
  }
}
