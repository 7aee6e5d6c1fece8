import { formatChangeEvent, parseChangeEvent, type SequencedChange } from '../change-event.js'
import { type AuditHead, type Change, type DurableStore, maxChangeEvents, type StoredRecord } from '../durable.js'
import { StoreUnavailable } from '../errors.js'
import type { RedisClient } from './client.js'
import { CommitQueue } from './commit-queue.js'
import type { Keys } from './keys.js'
import { collectPages, idsAfter } from './pages.js'
import { integerOf, listOf, numberOf, textOf, textsOf } from './replies.js'

/** Tries to append to the audit log while other instances do. Each failed try means that another one succeeded. */
const maxAuditTries = 64

function parseRecord(key: StoredRecord['key'], stored: string): StoredRecord {
  // As scripts/commit.lua reads it. A text that no gateway wrote does not unseal, and can be deleted.
  const [version = '0'] = /^\d+/.exec(stored) ?? []
  return { key, version: Number(version), text: stored.slice(stored.indexOf('\n') + 1) }
}

/** Commits changes by `scripts/commit.lua`. */
class Committer {
  readonly #redis: RedisClient
  readonly #keys: Keys
  readonly #maxEvents: number
  readonly #queue = new CommitQueue()
  // A guess: the script reports if the log has moved on.
  #head: AuditHead = { seq: 0, hash: '' }

  constructor(redis: RedisClient, keys: Keys, maxEvents: number) {
    this.#redis = redis
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
      const args = [this.#head.seq, entry.hash, entry.text, event, changeChannel, this.#maxEvents, ...operations]
      const reply = await this.#redis.script(script, touched, args)
      const [code, seq, hash] = this.#redis.parse(auditHead, () => {
        const [code, seq, hash] = listOf(reply)
        return code === 0 ? ([0, 0, ''] as const) : ([code, integerOf(seq), code === 1 ? '' : textOf(hash)] as const)
      })
      if (code === 0) return 'conflict'
      this.#head = { seq, hash: code === 1 ? entry.hash : hash }
      if (code === 1) return seq
    }
    throw new StoreUnavailable(new Error(`the audit log moved on in each of ${maxAuditTries} tries`), 'unsent')
  }
}

/**
 * Durable state in Redis. A record is `<version>\n<text>` at its key. All keys share one slot, so that one script
 * commits a change.
 * @param onChange   registers a listener of change events, returns its removal
 * @param maxEvents  change events that are kept
 */
export function createRedisDurable(
  redis: RedisClient,
  keys: Keys,
  onChange: DurableStore['onChange'],
  maxEvents: number = maxChangeEvents
): DurableStore {
  const committer = new Committer(redis, keys, maxEvents)
  return {
    async get(key) {
      const stored = await redis.command('GET', keys.record(key))
      return stored === null ? undefined : parseRecord(key, textOf(stored))
    },
    async list(kind, after, limit) {
      return collectPages(after, limit, async (from, count) => {
        const ids = await idsAfter(redis, keys.index(kind), from, count)
        if (ids.length === 0) return { ids, found: [] }
        const texts = listOf(await redis.command('MGET', ...ids.map(id => keys.record(`${kind}:${id}`))))
        const found = ids.flatMap((id, i) => {
          const stored = texts[i]
          return typeof stored === 'string' ? [parseRecord(`${kind}:${id}`, stored)] : []
        })
        return { ids, found }
      })
    },
    commit: change => committer.commit(change),
    async auditAfter(after, limit) {
      const texts = textsOf(await redis.command('LRANGE', keys.auditLog, after, after + limit - 1))
      return texts.map((text, i) => ({ seq: after + 1 + i, text }))
    },
    async auditHead() {
      const reply = await redis.command('HMGET', keys.auditHead, 'seq', 'hash')
      return redis.parse(keys.auditHead, () => {
        const [seq, hash] = listOf(reply)
        return seq === null ? { seq: 0, hash: '' } : { seq: numberOf(seq), hash: textOf(hash) }
      })
    },
    async changesAfter(after, limit) {
      const range = [`(${after}`, '+inf', 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES']
      const rows = listOf(await redis.command('ZRANGE', keys.changeEvents, ...range)).flat()
      const changes: SequencedChange[] = []
      for (let i = 0; i + 1 < rows.length; i += 2) {
        changes.push({ seq: Number(rows[i + 1]), event: parseChangeEvent(textOf(rows[i])) })
      }
      return changes
    },
    onChange
  }
}
