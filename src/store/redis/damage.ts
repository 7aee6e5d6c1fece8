import type { Damage, DamageCheck } from '../durable.js'
import { StoreDamaged } from '../pin.js'
import type { RedisClient } from './client.js'
import type { Keys } from './keys.js'
import type { RedisPin } from './pin.js'
import { integerOf, listOf, textOf, textsOf } from './replies.js'

/** Keys per step: about a millisecond of Redis. */
const scannedAtOnce = 1000
/** Kinds whose index may be missing only because there are no such records. */
const lasting = ['client', 'license', 'token', 'import'] as const

/**
 * Detects that Redis has lost an index or the audit log, for example by an eviction or a `DEL` from outside, since each
 * is one key. Records can still be read then, but lists and backups would silently omit them.
 */
export class RedisDamage implements DamageCheck {
  readonly #redis: RedisClient
  readonly #keys: Keys
  readonly #pin: RedisPin
  /** Keys that existed at the last check. Undefined before the first. */
  #present: Set<string> | undefined
  #hasUnlisted = false
  /** Kinds whose index is known to lack records. */
  #kinds: ReadonlySet<string> = new Set()

  constructor(redis: RedisClient, keys: Keys, pin: RedisPin) {
    this.#redis = redis
    this.#keys = keys
    this.#pin = pin
  }

  /** A record was read that is missing from its index. */
  foundUnlisted(): void {
    this.#hasUnlisted = true
  }

  /** A record was written, so an index of its kind exists. */
  wrote(kind: string): void {
    this.#present?.add(this.#keys.index(kind))
  }

  /** @throws StoreDamaged if a list of this kind would omit records */
  requireWhole(kind: string): void {
    if (this.#kinds.has(kind)) throw new StoreDamaged({ unlisted: [kind], isAuditLogLost: false })
  }

  async isSuspect(): Promise<boolean> {
    const { index, auditHead, auditLog } = this.#keys
    const keys = [index('meta'), auditHead, auditLog, ...lasting.map(index)]
    const replies = await Promise.all(keys.map(key => this.#redis.command('EXISTS', key)))
    const present = new Set(keys.filter((_, i) => integerOf(replies[i]) === 1))
    const isMissing = keys.some(key => !present.has(key) && this.#present?.has(key) !== false)
    const isSuspect = isMissing || this.#hasUnlisted
    this.#present = present
    this.#hasUnlisted = false
    return isSuspect
  }

  async find(): Promise<Damage> {
    const { recordPrefix, indexPrefix, auditHead, auditLog } = this.#keys
    const kinds = new Set<string>()
    for (let cursor = '', isFirst = true; isFirst || cursor !== '0'; isFirst = false) {
      const args = [cursor || '0', recordPrefix, indexPrefix, scannedAtOnce]
      const [next, found] = listOf(await this.#redis.unguardedScript('recordsScan', [this.#pin.key], args))
      for (const kind of textsOf(found)) kinds.add(kind)
      cursor = textOf(next)
    }
    // The first change of a store, which makes its identity, begins its log.
    const wholeLog = [this.#pin.key, auditHead, auditLog].map(key => this.#redis.unguarded('EXISTS', key))
    const [isUsed, ...logs] = (await Promise.all(wholeLog)).map(integerOf)
    this.#kinds = kinds
    return { unlisted: [...kinds].sort(), isAuditLogLost: isUsed === 1 && logs.includes(0) }
  }
}
