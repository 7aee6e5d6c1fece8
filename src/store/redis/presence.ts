import { maxPresent, type Presence, type PresenceStore } from '../presence.js'
import type { RedisClient } from './client.js'
import type { Keys } from './keys.js'
import { collectPages, idsAfter } from './pages.js'
import type { RedisPin } from './pin.js'
import { integerOf, listOf } from './replies.js'
import type { ScriptName } from './scripts.js'

/** The keys of a channel end this long after its last `touch`: a backstop for channels that nobody touches again. */
const keyLifeMs = 10 * 60 * 1000
/** Entries per script: it blocks Redis while it runs, and Lua's unpack has a limit. */
const batchItems = 500
/** Concurrent scripts: together they keep Redis busy for 0.2 s at most, and other commands wait that long. */
const maxConcurrentScripts = 50
/** Least members per read of a list, since those that have ended are skipped. */
const readItems = 1000

/** A member of both sets. A blank sorts before every character of an id, so members are in the order of session ids. */
function memberOf({ sessionId, clientId }: Presence): string {
  return `${sessionId} ${clientId}`
}
/** Sorts after all members of a session id, and before those of any longer one. */
const afterBlank = '!'

/** Presence in Redis: two sorted sets per channel, in one slot. */
export function createRedisPresence(redis: RedisClient, keys: Keys, pin: RedisPin): PresenceStore {
  const keysOf = (channel: string): readonly [string, string] => [
    keys.presenceDeadlines(channel),
    keys.presenceOrder(channel)
  ]

  /** Runs a script per channel, and per {@link batchItems} of its entries. */
  async function inBatches<Item extends Presence>(
    name: ScriptName,
    items: readonly Item[],
    argsOf: (batch: readonly Item[]) => readonly (string | number)[]
  ): Promise<void> {
    const batches: { channel: string; items: Item[] }[] = []
    const open = new Map<string, Item[]>()
    for (const item of items) {
      let batch = open.get(item.channel)
      if (batch === undefined || batch.length >= batchItems) {
        batch = []
        open.set(item.channel, batch)
        batches.push({ channel: item.channel, items: batch })
      }
      batch.push(item)
    }
    for (let i = 0; i < batches.length; i += maxConcurrentScripts) {
      const some = batches.slice(i, i + maxConcurrentScripts)
      await Promise.all(some.map(batch => redis.script(name, keysOf(batch.channel), argsOf(batch.items))))
    }
  }

  return {
    touch: (entries, now) =>
      inBatches('presenceTouch', entries, batch => [
        ...[now, maxPresent, keyLifeMs],
        ...batch.flatMap(entry => [entry.deadline, memberOf(entry)])
      ]),
    leave: gone => inBatches('presenceLeave', gone, batch => batch.map(memberOf)),
    async count(channel, now) {
      return integerOf(await redis.command('ZCOUNT', keys.presenceDeadlines(channel), `(${now}`, '+inf'))
    },
    async list(channel, after, limit, now) {
      const [deadlines, order] = keysOf(channel)
      const from = after === '' ? '' : after + afterBlank
      const found = await collectPages(from, limit, async (last, count) => {
        const ids = await idsAfter(redis, order, last, Math.max(count, readItems))
        if (ids.length === 0) return { ids, found: [] }
        const scores = listOf(await redis.command('ZMSCORE', deadlines, ...ids))
        return { ids, found: ids.filter((_, i) => scores[i] !== null && Number(scores[i]) > now) }
      })
      if (found.length === 0) await pin.verify()
      return found.slice(0, limit).map(member => {
        const [sessionId = '', clientId = ''] = member.split(' ')
        return { channel, sessionId, clientId }
      })
    }
  }
}
