import { formatChangeEvent, parseChangeEvent, type SequencedChange } from '../change-event.js'
import {
  type AuditHead,
  type Change,
  type DurableStore,
  maxChangeEvents,
  type StoredRecord,
  StoreUnavailable
} from '../store.js'
import type { RedisClient } from './client.js'
import type { Keys } from './keys.js'
import { collectPages, idsAfter } from './pages.js'
import { integerOf, listOf, textOf, textsOf } from './replies.js'

/** A change that has waited so long for those before it is given up, unrun. */
const commitWaitMs = 2000
/** Changes that may wait for each other. */
const maxWaitingCommits = 10_000
/** Tries to append to the audit log while other instances do; each try loses only to one that succeeded. */
const maxAuditTries = 64

function parseRecord(key: StoredRecord['key'], stored: string): StoredRecord {
  const end = stored.indexOf('\n')
  return { key, version: Number(stored.slice(0, end)), text: stored.slice(end + 1) }
}

/**
 * Records in Redis: `<version>\n<text>` at one key each, all in one slot, so that one script commits a change.
 * @param onTopic     registers a listener of topic signals, returns the undoing
 * @param topicsKept  see {@link maxChangeEvents}
 */
export function createRedisDurable(
  redis: RedisClient,
  keys: Keys,
  onTopic: (listener: () => void) => () => void,
  topicsKept: number = maxChangeEvents
): DurableStore {
  // The head as this instance saw it last. Only a guess: the script says when the log has moved on.
  let head: AuditHead = { seq: 0, hash: '' }
  // Changes of one instance come one after the other, so that they do not overtake each other's audit entries.
  let previous: Promise<unknown> = Promise.resolve()
  let waiting = 0

  async function tryCommit(change: Change): Promise<number | 'conflict'> {
    const writes = change.writes.map(write => {
      const [kind = ''] = write.key.split(':', 1)
      return { ...write, kind, id: write.key.slice(kind.length + 1) }
    })
    const touched = [
      keys.auditHead,
      keys.auditLog,
      keys.topics,
      ...writes.flatMap(({ key, kind }) => [keys.record(key), keys.index(kind)])
    ]
    const operations = writes.flatMap(({ expect, id, text }) => [
      expect,
      id,
      text === undefined ? 'remove' : 'put',
      text ?? ''
    ])
    const event = change.event === undefined ? '' : formatChangeEvent(change.event)
    for (let i = 0; i < maxAuditTries; i++) {
      const entry = change.audit(head)
      const args = [head.seq, entry.hash, entry.text, event, keys.topicChannel, topicsKept, ...operations]
      const [code, seq, hash] = listOf(await redis.script('commit', touched, args))
      if (code === 0) return 'conflict'
      if (code === 1) {
        head = { seq: integerOf(seq), hash: entry.hash }
        return head.seq
      }
      head = { seq: integerOf(seq), hash: textOf(hash) }
    }
    throw new StoreUnavailable(new Error('the audit log is too busy'), 'unsent')
  }

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
    commit(change) {
      if (waiting >= maxWaitingCommits)
        return Promise.reject(new StoreUnavailable(new Error('too many changes wait'), 'unsent'))
      waiting++
      const since = performance.now()
      const result = previous.then(() => {
        waiting--
        if (performance.now() - since > commitWaitMs) throw new StoreUnavailable(new Error('waited too long'), 'unsent')
        return tryCommit(change)
      })
      previous = result.catch(() => {})
      return result
    },
    async auditAfter(seq, limit) {
      const texts = textsOf(await redis.command('LRANGE', keys.auditLog, seq, seq + limit - 1))
      return texts.map((text, i) => ({ seq: seq + 1 + i, text }))
    },
    async auditHead() {
      const [seq, hash] = listOf(await redis.command('HMGET', keys.auditHead, 'seq', 'hash'))
      return typeof seq === 'string' ? { seq: Number(seq), hash: textOf(hash) } : { seq: 0, hash: '' }
    },
    async changesAfter(seq, limit) {
      const range = [`(${seq}`, '+inf', 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES']
      const rows = listOf(await redis.command('ZRANGE', keys.topics, ...range)).flat()
      const changes: SequencedChange[] = []
      for (let i = 0; i + 1 < rows.length; i += 2) {
        changes.push({ seq: Number(rows[i + 1]), event: parseChangeEvent(textOf(rows[i])) })
      }
      return changes
    },
    onChange: onTopic
  }
}
