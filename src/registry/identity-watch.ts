import type { Store } from '../store/store.js'
import { CannotUnseal } from './aead.js'
import { decodeIdentity, type StoredIdentity, type StoreIdentity, startOf, UnusableStore } from './identity.js'
import type { Keyring } from './keyring.js'
import type { Pepper } from './pepper.js'
import type { SchemaInUse } from './schema-in-use.js'
import type { RegistryLog } from './unreadable.js'

/** Why the store is not used. */
export interface StoreProblem {
  readonly kind: 'missing' | 'foreign' | 'newer'
  readonly message: string
}

const missing: StoreProblem = {
  kind: 'missing',
  message: 'the store has no identity: it was emptied, or another one is at its address'
}
const whatToDo =
  'nothing is answered from it. Bring the store back, or run `countersign restore FILE` with a backup; to start over, ' +
  'run `countersign init-store` and restart every gateway'

export interface IdentityWatchOptions {
  readonly pin: Store['pin']
  readonly keyring: Keyring
  readonly pepper: Pepper
  readonly schema: SchemaInUse
  readonly log: RegistryLog
  /** Unix milliseconds. */
  readonly now: () => number
}

/**
 * Checks that the store is the one that this instance has used. While it is not, the pin rejects every call. Call
 * {@link check} about once a second.
 */
export class IdentityWatch {
  readonly #options: IdentityWatchOptions
  #accepted: StoredIdentity
  #problem: StoreProblem | undefined
  #since = 0
  #checking: Promise<void> | undefined
  readonly #listeners = new Set<() => void>()

  constructor(options: IdentityWatchOptions, accepted: StoredIdentity) {
    this.#options = options
    this.#accepted = accepted
    options.schema.version = accepted.identity.schemaVersion
    options.pin.require(startOf(accepted.identity))
    options.pin.onMismatch(() => this.check())
  }

  /** The store that this instance uses. */
  get identity(): StoreIdentity {
    return this.#accepted.identity
  }

  /** Undefined while the store is the expected one. */
  get problem(): StoreProblem | undefined {
    return this.#problem
  }

  /** Calls `listener` when the store is usable again, or when another one has replaced it. */
  onBack(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Checks the store's identity now. Concurrent calls share one check. @throws StoreUnavailable */
  check(): Promise<void> {
    this.#checking ??= this.#refresh().finally(() => {
      this.#checking = undefined
    })
    return this.#checking
  }

  /** Switches to another store: one that this instance has restored. */
  accept(stored: StoredIdentity): void {
    const isReplaced = stored.text !== this.#accepted.text && this.#problem === undefined
    this.#accepted = stored
    this.#options.pepper.replace(stored.identity.pepper)
    this.#options.schema.version = stored.identity.schemaVersion
    this.#settle(undefined)
    // It may have been emptied and restored between two checks.
    if (isReplaced) this.#notify()
  }

  async #refresh(): Promise<void> {
    const text = await this.#options.pin.read()
    if (text === undefined) this.#settle(missing)
    else if (text === this.#accepted.text) this.#settle(undefined)
    else this.#compare(text)
  }

  #compare(text: string): void {
    try {
      const identity = decodeIdentity(this.#options.keyring, text)
      const { id } = this.#accepted.identity
      if (identity.id === id || identity.replaces.includes(id)) this.accept({ identity, text })
      else this.#settle(foreign(identity.id))
    } catch (error) {
      if (error instanceof UnusableStore) this.#settle({ kind: 'newer', message: error.message })
      else if (error instanceof CannotUnseal) this.#settle(foreign(text.slice(0, Math.max(0, text.indexOf('.')))))
      else throw error
    }
  }

  #settle(problem: StoreProblem | undefined): void {
    const { pin, log, now } = this.#options
    const before = this.#problem
    this.#problem = problem
    if (problem === undefined) {
      pin.require(startOf(this.#accepted.identity))
      if (before === undefined) return
      log.warn(
        { storeId: this.identity.id, lastedMs: now() - this.#since },
        'the store is back: it is served from again'
      )
      this.#notify()
      return
    }
    pin.refuse(problem.message)
    if (before?.kind === problem.kind) return
    if (before === undefined) this.#since = now()
    log.warn({ storeId: this.identity.id, reason: problem.message }, `this is not the store in use: ${whatToDo}`)
  }

  #notify(): void {
    for (const listener of this.#listeners) listener()
  }
}

function foreign(id: string): StoreProblem {
  const name = /^store_\w+$/.test(id) ? ` (${id})` : ''
  return { kind: 'foreign', message: `another store is at its address${name}` }
}
