import { setTimeout as pause } from 'node:timers/promises'
import { StoreUnavailable } from '../errors.js'
import { identityKey } from '../pin.js'
import { type RestoreCommit, type RestoreStore, recordKinds } from '../restore.js'
import type { StoredRecord } from '../store.js'
import type { RedisClient } from './client.js'
import { parseRecord } from './durable.js'
import type { Keys } from './keys.js'
import { idsAfter } from './pages.js'
import { integerOf, textOf, textsOf } from './replies.js'

/** Staged keys dropped per command. */
const dropBatch = 1000
/**
 * The move of many records takes longer than a command may: some 3 s for 200,000 records and as many audit entries, and
 * so above 30 s for as many as are accepted. Its outcome is polled this number of times, with this pause.
 */
const outcomeTries = 240
const outcomePauseMs = 500

type Command = (name: string, ...args: readonly (string | number)[]) => Promise<unknown>

/** Commands that stage records. The index comes first: a record without one would stay. */
function stageRecords(command: Command, { staged }: Keys, records: readonly StoredRecord[]): Promise<unknown>[] {
  const indexes = recordKinds.flatMap(kind => {
    const ids = records.filter(({ key }) => key.startsWith(`${kind}:`)).map(({ key }) => key.slice(kind.length + 1))
    return ids.length === 0 ? [] : [command('ZADD', staged.indexPrefix + kind, ...ids.flatMap(id => [0, id]))]
  })
  const texts = records.flatMap(({ key, version, text }) => [staged.recordPrefix + key, `${version}\n${text}`])
  return texts.length === 0 ? indexes : [...indexes, command('MSET', ...texts)]
}

async function drop(redis: RedisClient, command: Command, { staged }: Keys): Promise<void> {
  for (const kind of recordKinds) {
    const index = staged.indexPrefix + kind
    for (;;) {
      const ids = await idsAfter(redis, index, '', dropBatch, command)
      if (ids.length === 0) break
      await command('DEL', ...ids.map(id => `${staged.recordPrefix}${kind}:${id}`))
      await command('ZREM', index, ...ids)
    }
  }
  await command('DEL', staged.auditLog, staged.restoreId)
}

/** Whether the move took place, after a call whose reply was lost or late. @throws `cause` if it did not */
async function hasMoved(command: Command, keys: Keys, { entry }: RestoreCommit, cause: unknown): Promise<boolean> {
  for (let i = 0; i < outcomeTries; i++) {
    await pause(outcomePauseMs)
    const hash = await command('HGET', keys.auditHead, 'hash').catch(() => undefined)
    if (hash === entry.hash) return true
    // Redis answers, so it no longer runs the script.
    if (hash !== undefined) break
  }
  throw cause
}

/** A restore in Redis: everything is staged under keys of the records' slot, and one script moves it. */
export function createRedisRestore(redis: RedisClient, keys: Keys): RestoreStore {
  const { staged } = keys
  const command: Command = (name, ...args) => redis.unguarded(name, ...args)
  const isStaged = async (restoreId: string) => (await command('GET', staged.restoreId)) === restoreId

  return {
    async hasClientsOrLicenses() {
      const counts = await Promise.all(['client', 'license'].map(kind => command('ZCARD', keys.indexPrefix + kind)))
      return counts.some(count => integerOf(count) > 0)
    },
    async begin(restoreId) {
      await drop(redis, command, keys)
      await command('SET', staged.restoreId, restoreId)
    },
    async stage(restoreId, records, entries) {
      if (!(await isStaged(restoreId))) return false
      const log = entries.length === 0 ? [] : [command('RPUSH', staged.auditLog, ...entries.map(({ text }) => text))]
      await Promise.all([...stageRecords(command, keys, records), ...log])
      return true
    },
    async get(key) {
      const stored = await command('GET', staged.recordPrefix + key)
      return stored === null ? undefined : parseRecord(key, textOf(stored))
    },
    async lastEntry() {
      const [text] = textsOf(await command('LRANGE', staged.auditLog, -1, -1))
      return text === undefined ? undefined : { seq: JSON.parse(text).seq, text }
    },
    async count() {
      const counts = await Promise.all(recordKinds.map(kind => command('ZCARD', staged.indexPrefix + kind)))
      const entries = integerOf(await command('LLEN', staged.auditLog))
      return { records: counts.map(integerOf).reduce((sum, count) => sum + count, 0), entries }
    },
    async commit(restoreId, commit) {
      const { identity, entry } = commit
      const touched = [keys.auditHead, keys.auditLog, keys.changeEvents, staged.auditLog, staged.restoreId]
      const prefixes = [keys.recordPrefix, staged.recordPrefix, keys.indexPrefix, staged.indexPrefix]
      const id = identityKey.slice('meta:'.length)
      const last = [entry.seq, entry.hash, entry.text]
      const args = [...prefixes, keys.changeChannel, id, identity, ...last, restoreId, ...recordKinds]
      try {
        return integerOf(await redis.unguardedScript('restoreCommit', touched, args)) === 1
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || error.outcome === 'unsent') throw error
        return hasMoved(command, keys, commit, error)
      }
    },
    async abort(restoreId) {
      if (await isStaged(restoreId)) await drop(redis, command, keys)
    }
  }
}
