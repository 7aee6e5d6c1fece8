import { formatChangeEvent, parseChangeEvent, type SequencedChange } from '../change-event.js'
import {
  type AuditHead,
  type Change,
  type DurableStore,
  maxChangeEvents,
  type RecordKey,
  type StoredRecord
} from '../durable.js'
import { StoreUnavailable } from '../errors.js'
import { RecordLost } from '../pin.js'
import type { RedisClient } from './client.js'
import { CommitQueue } from './commit-queue.js'
import { RedisDamage } from './damage.js'
import type { Keys } from './keys.js'
import { collectPages, idsAfter } from './pages.js'
import type { RedisPin } from './pin.js'
import { integerOf, listOf, numberOf, textOf, textsOf } from './replies.js'

/**
 * Attempts to append to the audit log while other instances do. Each failed attempt means that another one succeeded.
 */
const maxAuditTries = 64

export function parseRecord(key: StoredRecord['key'], stored: string): StoredRecord {
  // As scripts/commit.lua reads it. A text not written by a gateway cannot be unsealed, but can be deleted.
  const [version = '0'] = /^\d+/.exec(stored) ?? []
  return { key, version: Number(version), text: stored.slice(stored.indexOf('\n') + 1) }
}

const lostLog = 'the store has lost its audit log: restore a backup'

/** @throws UnexpectedReply */
function parseCommit(reply: unknown): readonly [code: number, seq: number, hash: string] {
  const [code, seq, hash] = listOf(reply)
  if (code === 1) return [1, integerOf(seq), '']
  return code === -1 ? [-1, integerOf(seq), textOf(hash)] : [integerOf(code), 0, '']
}

/** Commits changes by `scripts/commit.lua`. */
class Committer {
  readonly #redis: RedisClient
  readonly #keys: Keys
  readonly #pin: RedisPin
  readonly #damage: RedisDamage
  readonly #maxEvents: number
  readonly #queue = new CommitQueue()
  // A guess: the script reports if the log has moved on.
  #head: AuditHead = { seq: 0, hash: '' }

  constructor(redis: RedisClient, keys: Keys, pin: RedisPin, damage: RedisDamage, maxEvents: number) {
    this.#redis = redis
    this.#pin = pin
    this.#damage = damage
    this.#keys = keys
    this.#maxEvents = maxEvents
  }

  commit(change: Change): Promise<number | 'conflict'> {
    return this.#queue.run(() => this.#tryCommit(change))
  }

  async #tryCommit(change: Change): Promise<number | 'conflict'> {
    const { auditHead, auditLog, changeEvents, changeChannel, record, index } = this.#keys
    const writes = change.writes.map(write => {
      const [kind = ''] = write.key.split(':', 1)
      return { ...write, kind, id: write.key.slice(kind.length + 1) }
    })
    const touched = [
      auditHead,
      auditLog,
      changeEvents,
      this.#pin.key,
      ...writes.flatMap(({ key, kind }) => [record(key), index(kind)])
    ]
    const operations = writes.flatMap(({ expect, id, text }) => [
      expect,
      id,
      text === undefined ? 'remove' : 'put',
      text ?? ''
    ])
    const script = change.isProtective === true ? 'commitFromReserve' : 'commit'
    const event = change.event === undefined ? '' : formatChangeEvent(change.event)
    for (let i = 0; i < maxAuditTries; i++) {
      const entry = change.audit(this.#head)
      const args = [this.#head.seq, entry.hash, entry.text, event, changeChannel, this.#maxEvents, this.#pin.start]
      const cut = change.cutAuditThrough ?? 0
      const reply = await this.#redis.script(script, touched, [...args, cut, ...operations])
      const [code, seq, hash] = this.#redis.parse(auditHead, () => parseCommit(reply))
      if (code === 0) return 'conflict'
      if (code === -2) {
        await this.#pin.examine()
        // It is the expected store, but with another schema: data sealed for this change must be resealed.
        return 'conflict'
      }
      if (code === -3) throw new StoreUnavailable(new Error(lostLog), 'unsent')
      this.#head = { seq, hash: code === 1 ? entry.hash : hash }
      if (code === 1) {
        for (const { kind, text } of writes) if (text !== undefined) this.#damage.wrote(kind)
        return seq
      }
    }
    throw new StoreUnavailable(new Error(`the audit log moved on in each of ${maxAuditTries} tries`), 'unsent')
  }
}

/** The audit log and the change events. */
function createLog(
  redis: RedisClient,
  keys: Keys,
  pin: RedisPin
): Pick<DurableStore, 'auditAfter' | 'auditHead' | 'changesAfter' | 'lastChange'> {
  return {
    async auditAfter(after, limit) {
      const [reply] = await Promise.all([redis.script('auditAfter', [keys.auditLog], [after, limit]), pin.verify()])
      return redis.parse(keys.auditLog, () => {
        const [first, texts] = listOf(reply)
        const firstSeq = integerOf(first)
        return textsOf(texts).map((text, i) => ({ seq: firstSeq + i, text }))
      })
    },
    async auditHead() {
      const [head] = await Promise.all([redis.command('HMGET', keys.auditHead, 'seq', 'hash'), pin.verify()])
      return redis.parse(keys.auditHead, () => {
        const [seq, hash] = listOf(head)
        return seq === null ? { seq: 0, hash: '' } : { seq: numberOf(seq), hash: textOf(hash) }
      })
    },
    async changesAfter(after, limit) {
      const range = [`(${after}`, '+inf', 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES']
      const [reply] = await Promise.all([redis.command('ZRANGE', keys.changeEvents, ...range), pin.verify()])
      const rows = listOf(reply).flat()
      const changes: SequencedChange[] = []
      for (let i = 0; i + 1 < rows.length; i += 2) {
        changes.push({ seq: Number(rows[i + 1]), event: parseChangeEvent(textOf(rows[i])) })
      }
      return changes
    },
    async lastChange(event) {
      const [seq] = await Promise.all([
        redis.command('ZSCORE', keys.changeEvents, formatChangeEvent(event)),
        pin.verify()
      ])
      return typeof seq === 'string' ? Number(seq) : undefined
    }
  }
}

/**
 * Durable state in Redis. A record is `<version>\n<text>` at its key. All keys share one slot, so that one script
 * commits a change.
 * @param onChange   registers a listener of change events, returns a function that removes it
 * @param maxEvents  most change events
 */
export function createRedisDurable(
  redis: RedisClient,
  keys: Keys,
  pin: RedisPin,
  onChange: DurableStore['onChange'],
  maxEvents: number = maxChangeEvents
): DurableStore {
  const damage = new RedisDamage(redis, keys, pin)
  const committer = new Committer(redis, keys, pin, damage, maxEvents)

  async function read(key: RecordKey): Promise<StoredRecord | undefined> {
    const [kind = ''] = key.split(':', 1)
    const touched = [pin.key, keys.record(key), keys.index(kind)]
    const [code, stored] = await pin.under(async () => {
      const reply = listOf(await redis.script('recordGet', touched, [pin.start, key.slice(kind.length + 1)]))
      return reply[0] === 0 ? undefined : reply
    })
    if (code === 2) return { key, version: 0, text: '', isLost: true }
    if (code === 4) damage.foundUnlisted()
    return code === 1 || code === 4 ? parseRecord(key, textOf(stored)) : undefined
  }

  return {
    async get(key) {
      const found = await read(key)
      if (found?.isLost) throw new RecordLost(key)
      return found
    },
    async list(kind, after, limit) {
      damage.requireWhole(kind)
      const records = await collectPages(after, limit, async (from, count) => {
        const ids = await idsAfter(redis, keys.index(kind), from, count)
        if (ids.length === 0) return { ids, found: [] }
        const texts = listOf(await redis.command('MGET', ...ids.map(id => keys.record(`${kind}:${id}`))))
        // A missing one was removed in between, or is lost.
        const found = await Promise.all(
          ids.map((id, i) => {
            const stored = texts[i]
            const key: RecordKey = `${kind}:${id}`
            return typeof stored === 'string' ? parseRecord(key, stored) : read(key)
          })
        )
        return { ids, found: found.filter(each => each !== undefined) }
      })
      await pin.verify()
      return records
    },
    commit: change => committer.commit(change),
    ...createLog(redis, keys, pin),
    onChange,
    damage
  }
}
