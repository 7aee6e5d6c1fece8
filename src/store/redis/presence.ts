import {
  maxPresent,
  maxReportedChanges,
  type Presence,
  type PresenceChanges,
  type PresenceEntry,
  type PresenceStore
} from '../presence.js'
import type { RedisClient } from './client.js'
import type { Keys } from './keys.js'
import { collectPages, idsAfter } from './pages.js'
import type { RedisPin } from './pin.js'
import { integerOf, listOf, textsOf } from './replies.js'
import type { ScriptName } from './scripts.js'

/** The keys of a channel expire this long after its last `touch`: a backstop for abandoned channels. */
const keyLifeMs = 10 * 60 * 1000
/** Entries per script: it blocks Redis while it runs, and Lua's unpack has a limit. */
const batchItems = 500
/** Concurrent scripts: together they block Redis for at most 0.2 s, and other commands wait that long. */
const maxConcurrentScripts = 50
/** Minimum members per read of a list, since ended ones are skipped. */
const readItems = 1000

/** A member of both sets. A space sorts before every character of an id, so members are in order of session ids. */
function memberOf({ sessionId, clientId }: Presence): string {
  return `${sessionId} ${clientId}`
}
function presenceOf(channel: string, member: string): Presence {
  const [sessionId = '', clientId = ''] = member.split(' ')
  return { channel, sessionId, clientId }
}

/** The reply of presence-touch.lua and presence-leave.lua. */
function changesOf(channel: string, reply: unknown): PresenceChanges {
  const [joined, left] = listOf(reply).map(members => textsOf(members).map(member => presenceOf(channel, member)))
  return { joined: joined ?? [], left: left ?? [] }
}

/** Sorts after all members of a session id, and before those of any longer one. */
const afterBlank = '!'

function touchArguments(now: number): number[] {
  return [now, maxPresent, keyLifeMs, maxReportedChanges]
}

interface ScriptCall {
  readonly channel: string
  readonly name: ScriptName
  readonly args: readonly (string | number)[]
}

/** One call of a script per channel and per {@link batchItems} of its entries. */
function inBatches<Item extends Presence>(
  name: ScriptName,
  items: readonly Item[],
  argsOf: (batch: readonly Item[]) => readonly (string | number)[]
): readonly ScriptCall[] {
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
  return batches.map(({ channel, items }) => ({ channel, name, args: argsOf(items) }))
}

/** Presence in Redis: two sorted sets per channel, in one slot. */
export function createRedisPresence(redis: RedisClient, keys: Keys, pin: RedisPin): PresenceStore {
  const keysOf = (channel: string): readonly [string, string] => [
    keys.presenceDeadlines(channel),
    keys.presenceOrder(channel)
  ]

  async function runAll(calls: readonly ScriptCall[]): Promise<PresenceChanges> {
    const all: PresenceChanges[] = []
    for (let i = 0; i < calls.length; i += maxConcurrentScripts) {
      const some = calls.slice(i, i + maxConcurrentScripts)
      const run = async ({ channel, name, args }: ScriptCall) =>
        changesOf(channel, await redis.script(name, keysOf(channel), args))
      all.push(...(await Promise.all(some.map(run))))
    }
    return { joined: all.flatMap(({ joined }) => joined), left: all.flatMap(({ left }) => left) }
  }

  return {
    touch(entries, now) {
      const argsOf = (batch: readonly PresenceEntry[]) => [
        ...touchArguments(now),
        ...batch.flatMap(entry => [entry.deadline, memberOf(entry)])
      ]
      return runAll(inBatches('presenceTouch', entries, argsOf))
    },
    leave: gone => runAll(inBatches('presenceLeave', gone, batch => [maxReportedChanges, ...batch.map(memberOf)])),
    sweep: (channels, now) =>
      runAll(channels.map(channel => ({ channel, name: 'presenceTouch', args: touchArguments(now) }))),
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
      return found.slice(0, limit).map(member => presenceOf(channel, member))
    }
  }
}
