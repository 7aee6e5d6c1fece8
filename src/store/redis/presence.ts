import { maxPresent, type Presence, type PresenceStore } from '../presence.js'
import type { RedisClient, ScriptName } from './client.js'
import type { Keys } from './keys.js'
import { collectPages, idsAfter } from './pages.js'
import { integerOf, listOf } from './replies.js'

/** Keys of a channel of which nobody says anything any more end after this, in Redis' own time: a backstop. */
const keyLifeMs = 10 * 60 * 1000
/** Entries of one script: it blocks Redis, and Lua unpacks only so many. */
const batchItems = 500
/** Scripts that are under way at one time, some 0.2 s of Redis' time at most: others wait behind them. */
const scriptsAtOnce = 50
/** Members that one read of a list brings at least: those that are over are passed over. */
const readItems = 1000

/** A member of both sets. A blank sorts before whatever an id may have: members stand in the order of session ids. */
function memberOf({ sessionId, clientId }: Presence): string {
  return `${sessionId} ${clientId}`
}
/** Behind all members of a session id, before those of any longer one. */
const afterBlank = '!'

/** Who is in which channel, in Redis: two sorted sets for each channel, in one slot. */
export function createRedisPresence(redis: RedisClient, keys: Keys): PresenceStore {
  const keysOf = (channel: string): readonly [string, string] => [
    keys.presenceDeadlines(channel),
    keys.presenceOrder(channel)
  ]

  /** One script for each channel, or for each so many of its entries. */
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
    for (let i = 0; i < batches.length; i += scriptsAtOnce) {
      const some = batches.slice(i, i + scriptsAtOnce)
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
      const found = await collectPages(from, limit, async (behind, count) => {
        const ids = await idsAfter(redis, order, behind, Math.max(count, readItems))
        if (ids.length === 0) return { ids, found: [] }
        const scores = listOf(await redis.command('ZMSCORE', deadlines, ...ids))
        return { ids, found: ids.filter((_, i) => scores[i] !== null && Number(scores[i]) > now) }
      })
      return found.slice(0, limit).map(member => {
        const [sessionId = '', clientId = ''] = member.split(' ')
        return { channel, sessionId, clientId }
      })
    }
  }
}
