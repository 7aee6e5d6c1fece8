import { randomBytes } from 'node:crypto'
import type {
  ChallengeStore,
  CountedSession,
  LicenseSlotStore,
  RateLimitStore,
  SessionEntry,
  SessionStore,
  TicketStore,
  TouchedSession
} from '../ephemeral.js'
import { maxLicenseSlotsPerSession, noCounts } from '../ephemeral.js'
import { shareReads } from '../shared-read.js'
import type { RedisClient } from './client.js'
import { type Keys, sessionKeyLifeMs } from './keys.js'
import { collectPages, idsAfter } from './pages.js'
import type { RedisPin } from './pin.js'
import { integerOf, listOf, textOf, textsOf } from './replies.js'
import { RedisSessionCounts } from './session-counts.js'

/** Sessions per script: a JavaScript call takes a limited number of arguments, and Redis waits for the script. */
const touchBatch = 2000
const fenceBytes = 12

export function createRedisChallenges(redis: RedisClient, keys: Keys, pin: RedisPin): ChallengeStore {
  return {
    fence: shareReads(async () => {
      const random = randomBytes(fenceBytes).toString('base64url')
      return textOf(await redis.script('challengeFence', [keys.challengeFence], [random]))
    }),
    // If the reply is lost the challenge is used up, and the client asks for another.
    async use(token, fence, lifeMs) {
      const touched = [keys.usedChallenge(token), keys.challengeFence]
      const isUsable = integerOf(await redis.script('challengeUse', touched, [fence, lifeMs])) === 1
      if (!isUsable) await pin.verify()
      return isUsable
    }
  }
}

const entryTexts = ['sessionId', 'clientId', 'keyId', 'instanceId', 'transport', 'remoteAddress'] as const

/** @throws UnexpectedReply, SyntaxError */
function parseEntry(text: string, deadline: number): SessionEntry {
  const entry: Partial<SessionEntry> | null = JSON.parse(text)
  for (const name of entryTexts) textOf(entry?.[name])
  integerOf(entry?.openedAt)
  integerOf(entry?.expiresAt)
  return { ...(entry as SessionEntry), attributes: entry?.attributes ?? {}, deadline }
}

/** @param rows  deadline, session id, entry, deadline, session id, entry, … */
function parseReaped(redis: RedisClient, prefix: string, rows: readonly string[]): readonly SessionEntry[] {
  const reaped: SessionEntry[] = []
  for (let i = 0; i + 2 < rows.length; i += 3) {
    const [deadline, id, text = ''] = rows.slice(i, i + 3)
    const entry = redis.parseOrSkip(`${prefix}${id}`, () => parseEntry(text, Number(deadline)))
    if (entry !== undefined) reaped.push(entry)
  }
  return reaped
}

async function readSessions(
  redis: RedisClient,
  { sessionPrefix, sessionDeadlines }: Keys,
  ids: readonly string[]
): Promise<readonly SessionEntry[]> {
  if (ids.length === 0) return []
  const [entries, deadlines] = await Promise.all([
    redis.command('MGET', ...ids.map(id => sessionPrefix + id)),
    redis.command('ZMSCORE', sessionDeadlines, ...ids)
  ])
  const scores = listOf(deadlines)
  return listOf(entries).flatMap((entry, i) => {
    if (typeof entry !== 'string' || scores[i] === null) return []
    return redis.parseOrSkip(`${sessionPrefix}${ids[i]}`, () => parseEntry(entry, Number(scores[i]))) ?? []
  })
}

async function readCountedSessions(
  redis: RedisClient,
  keys: Keys,
  ids: readonly string[]
): Promise<readonly CountedSession[]> {
  const sent = new RedisSessionCounts(redis, keys)
  const [entries, counts] = await Promise.all([readSessions(redis, keys, ids), sent.read(ids)])
  return entries.map(entry => ({ ...entry, counts: counts.get(entry.sessionId) ?? noCounts }))
}

/** An entry is changed only by its session's own messages, one after another, and by its instance. */
async function replaceAttributes(
  redis: RedisClient,
  keys: Keys,
  sessionId: string,
  attributes: SessionEntry['attributes']
): Promise<boolean> {
  const [entry] = await readSessions(redis, keys, [sessionId])
  if (entry === undefined) return false
  const text = JSON.stringify({ ...entry, attributes })
  return (await redis.command('SET', keys.sessionPrefix + sessionId, text, 'XX', 'KEEPTTL')) !== null
}

/** See `scripts/session-touch.lua`. */
function touchArguments({ sessionId, deadline, counts = noCounts }: TouchedSession) {
  return [sessionId, deadline, counts.frames, counts.bytes, counts.refused]
}

/** The sorted set of all sessions, or of a client's sessions. */
function indexOf({ sessionIds, sessionsOfClientPrefix }: Keys, clientId: string | undefined): string {
  return clientId === undefined ? sessionIds : sessionsOfClientPrefix + clientId
}

export function createRedisSessions(redis: RedisClient, keys: Keys, pin: RedisPin): SessionStore {
  const { sessionPrefix, sessionDeadlines, sessionIds, sessionsOfClientPrefix, sessionCounts, sessionTop } = keys
  const sent = new RedisSessionCounts(redis, keys)
  const read = (ids: readonly string[]) => readSessions(redis, keys, ids)
  const readCounted = (ids: readonly string[]) => readCountedSessions(redis, keys, ids)

  return {
    async open(entry, maxPerClient) {
      const ofClient = indexOf(keys, entry.clientId)
      const touched = [sessionPrefix + entry.sessionId, sessionDeadlines, sessionIds, ofClient]
      const args = [entry.sessionId, JSON.stringify(entry), entry.deadline, maxPerClient, sessionKeyLifeMs]
      return integerOf(await redis.script('sessionOpen', touched, args)) === 1
    },
    async touch(touched) {
      const writes: Promise<unknown>[] = []
      for (let i = 0; i < touched.length; i += touchBatch) {
        const args = touched.slice(i, i + touchBatch).flatMap(touchArguments)
        writes.push(redis.script('sessionTouch', [sessionDeadlines, sessionCounts, sessionTop], args))
      }
      await Promise.all(writes)
    },
    async setAttributes(sessionId, attributes) {
      if (await replaceAttributes(redis, keys, sessionId, attributes)) return true
      await pin.verify()
      return false
    },
    async end(sessionId) {
      const touched = [sessionPrefix + sessionId, sessionDeadlines, sessionIds, sessionCounts, sessionTop]
      if (integerOf(await redis.script('sessionEnd', touched, [sessionId, sessionsOfClientPrefix])) === 1) return true
      await pin.verify()
      return false
    },
    get: async sessionId => pin.confirm((await read([sessionId]))[0]),
    getMany: read,
    async list(after, limit, clientId) {
      const entries = await collectPages(after, limit, async (from, count) => {
        const ids = await idsAfter(redis, indexOf(keys, clientId), from, count)
        return { ids, found: await readCounted(ids) }
      })
      if (entries.length === 0) await pin.verify()
      return entries
    },
    async top(limit) {
      const ids = await sent.topIds(limit)
      const found = new Map((await readCounted(ids)).map(entry => [entry.sessionId, entry]))
      if (found.size === 0) await pin.verify()
      await sent.forget(ids.filter(id => !found.has(id)))
      return ids.flatMap(id => found.get(id) ?? [])
    },
    async count() {
      return integerOf(await redis.command('ZCARD', sessionDeadlines))
    },
    async reap(now, limit, leaseMs) {
      const args = [now, limit, leaseMs, sessionPrefix]
      const rows = await redis.script('sessionReap', [sessionDeadlines, sessionIds, sessionCounts, sessionTop], args)
      return parseReaped(redis, sessionPrefix, textsOf(rows))
    }
  }
}

export function createRedisLicenseSlots(redis: RedisClient, keys: Keys): LicenseSlotStore {
  return {
    async acquire(licenseId, sessionId, max, endsAt, now) {
      const licenses = keys.licensesOfSession(sessionId)
      // First, because an entry without a slot is harmless, but a slot without an entry would outlive a crash.
      const recordArgs = [licenseId, maxLicenseSlotsPerSession, sessionKeyLifeMs]
      if (integerOf(await redis.script('licenseSlotRecord', [licenses], recordArgs)) === 0) return 'sessionFull'
      const args = [sessionId, max, endsAt, now]
      const slots = keys.licenseSlots(licenseId)
      if (integerOf(await redis.script('licenseSlotAcquire', [slots], args)) === 1) return 'acquired'
      await redis.command('SREM', licenses, licenseId)
      return 'licenseFull'
    },
    async release(licenseId, sessionId) {
      await Promise.all([
        redis.command('ZREM', keys.licenseSlots(licenseId), sessionId),
        redis.command('SREM', keys.licensesOfSession(sessionId), licenseId)
      ])
    },
    async releaseAll(sessionId) {
      const licenseIds = textsOf(await redis.command('SMEMBERS', keys.licensesOfSession(sessionId)))
      await Promise.all(licenseIds.map(licenseId => redis.command('ZREM', keys.licenseSlots(licenseId), sessionId)))
      if (licenseIds.length > 0) await redis.command('DEL', keys.licensesOfSession(sessionId))
    }
  }
}

/** Tickets, each at a separate key. The index is in another slot of a Cluster, so it may name removed tickets. */
export function createRedisTickets(redis: RedisClient, keys: Keys, pin: RedisPin): TicketStore {
  return {
    async put(keyId, text, lifeMs) {
      await Promise.all([
        redis.script('ticketIndexAdd', [keys.ticketIndex], [keyId, lifeMs]),
        redis.command('SET', keys.ticket(keyId), text, 'PX', lifeMs),
        // After the others, on the same connection: a ticket must not be lost because the store is another one.
        pin.verify()
      ])
    },
    async get(keyId) {
      const text = await redis.command('GET', keys.ticket(keyId))
      return pin.confirm(text === null ? undefined : textOf(text))
    },
    async list(after, limit) {
      const from = after === '' ? '0' : after
      const [cursor, pairs] = listOf(await redis.command('ZSCAN', keys.ticketIndex, from, 'COUNT', limit))
      const keyIds = textsOf(pairs).filter((_, i) => i % 2 === 0)
      // Each key separately: in a Cluster they are in different slots.
      const texts = await Promise.all(keyIds.map(keyId => redis.command('GET', keys.ticket(keyId))))
      const items = keyIds.flatMap((keyId, i) => {
        const text = texts[i]
        return typeof text === 'string' ? [{ keyId, text }] : []
      })
      const next = textOf(cursor)
      return { items, ...(next === '0' ? {} : { next }) }
    },
    async replace(keyId, expected, text) {
      return integerOf(await redis.script('ticketReplace', [keys.ticket(keyId)], [expected, text])) === 1
    }
  }
}

export function createRedisRateLimits(redis: RedisClient, keys: Keys): RateLimitStore {
  return {
    consume: async (name, cost, perMinute) =>
      integerOf(await redis.script('rateLimitConsume', [keys.rateLimit(name)], [cost, perMinute]))
  }
}
