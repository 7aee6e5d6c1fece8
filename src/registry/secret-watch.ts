import type { InstanceAnnouncement, Store } from '../store/store.js'
import { createHasher, type Hasher } from './keyring.js'
import type { Pepper } from './pepper.js'
import type { RegistryLog } from './unreadable.js'

type Digests = NonNullable<InstanceAnnouncement['secrets']>

/** Interval between checks, in milliseconds. */
const checkEveryMs = 10_000
const digestChars = 16

export interface SecretWatchOptions {
  readonly store: Pick<Store, 'announcements'>
  readonly pepper: Pepper
  readonly masterKeys: readonly Uint8Array[]
  readonly adminToken: string
  readonly log: RegistryLog
  /** Unix milliseconds. */
  readonly now: () => number
}

const todo: Readonly<Record<keyof Digests, readonly [message: string, todo: string]>> = {
  adminToken: [
    'other instances have another admin token: calls with one token fail on some of them',
    'set the same COUNTERSIGN_ADMIN_TOKEN on all'
  ],
  masterKeys: [
    'other instances have other master keys: what is sealed under a key that one lacks does not open there',
    'set the same COUNTERSIGN_MASTER_KEY on all'
  ]
}

/**
 * Detects instances on one store with different secrets. They announce digests keyed with the store's pepper, so that
 * guesses cannot be tested without a master key. Call {@link tick} about once a second.
 */
export class SecretWatch {
  readonly #options: SecretWatchOptions
  readonly #hash: Hasher
  readonly #reported = new Set<keyof Digests>()
  #checkedAt = Number.NEGATIVE_INFINITY

  constructor(options: SecretWatchOptions) {
    this.#options = options
    this.#hash = createHasher(options.pepper, 'secrets of an instance')
  }

  /** Announcement of this instance. */
  get digests(): Digests {
    const { masterKeys, adminToken } = this.#options
    const keys = masterKeys.map(key => Buffer.from(key).toString('base64')).sort()
    const digest = (text: string) => this.#hash(text).slice(0, digestChars)
    return { adminToken: digest(`admin ${adminToken}`), masterKeys: digest(`master ${keys.join(',')}`) }
  }

  /** Logs each difference once, and again only after it had ended. @throws StoreUnavailable */
  async tick(): Promise<void> {
    const { store, log, now } = this.#options
    if (Math.abs(now() - this.#checkedAt) < checkEveryMs) return
    this.#checkedAt = now()
    const announced = (await store.announcements()) ?? []
    const { digests } = this
    for (const name of ['adminToken', 'masterKeys'] as const) {
      const others = announced.filter(({ secrets }) => secrets !== undefined && secrets[name] !== digests[name])
      if (others.length === 0) this.#reported.delete(name)
      else if (!this.#reported.has(name)) {
        this.#reported.add(name)
        log.warn({ instances: others.length }, todo[name].join(': '))
      }
    }
  }
}
