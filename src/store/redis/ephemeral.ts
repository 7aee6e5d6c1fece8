import type {
  ChallengeStore,
  LicenseSlotStore,
  RateLimitStore,
  SessionEntry,
  SessionStore,
  TicketStore
} from '../ephemeral.js'
import type { RedisClient } from './client.js'
import type { Keys } from './keys.js'
import { collectPages, idsAfter } from './pages.js'
import { integerOf, listOf, textOf, textsOf } from './replies.js'

/** An hour longer than the longest session (24 h): a backstop behind the reaper. */
const sessionKeyLifeMs = 25 * 60 * 60 * 1000

/** Sessions per ZADD: a JavaScript call takes a limited number of arguments. */
const touchBatch = 5000

export function createRedisChallenges(redis: RedisClient, keys: Keys): ChallengeStore {
  return {
    async put(token, binding, lifeMs) {
      await redis.script('challengePut', [keys.challenge(token)], [binding, lifeMs])
    },
    async consume(token) {
      // If the reply is lost the challenge is used up, and the client asks for another.
      const binding = await redis.script('challengeConsume', [keys.challenge(token)], [])
      return binding === null ? undefined : textOf(binding)
    }
  }
}

function parseEntry(text: string, deadline: number): SessionEntry {
  return { ...(JSON.parse(text) as SessionEntry), deadline }
}

export function createRedisSessions(redis: RedisClient, keys: Keys): SessionStore {
  const { sessionPrefix, sessionDeadlines, sessionIds, sessionsOfClientPrefix } = keys

  async function read(ids: readonly string[]): Promise<readonly SessionEntry[]> {
    if (ids.length === 0) return []
    const [entries, deadlines] = await Promise.all([
      redis.command('MGET', ...ids.map(id => sessionPrefix + id)),
      redis.command('ZMSCORE', sessionDeadlines, ...ids)
    ])
    const scores = listOf(deadlines)
    return listOf(entries).flatMap((entry, i) =>
      typeof entry === 'string' && scores[i] !== null ? [parseEntry(entry, Number(scores[i]))] : []
    )
  }

  return {
    async open(entry, maxPerClient) {
      const touched = [
        sessionPrefix + entry.sessionId,
        sessionDeadlines,
        sessionIds,
        sessionsOfClientPrefix + entry.clientId
      ]
      const args = [entry.sessionId, JSON.stringify(entry), entry.deadline, maxPerClient, sessionKeyLifeMs]
      return integerOf(await redis.script('sessionOpen', touched, args)) === 1
    },
    async touch(deadlines) {
      const writes: Promise<unknown>[] = []
      for (let i = 0; i < deadlines.length; i += touchBatch) {
        const pairs = deadlines.slice(i, i + touchBatch).flatMap(({ sessionId, deadline }) => [deadline, sessionId])
        writes.push(redis.command('ZADD', sessionDeadlines, 'XX', 'GT', ...pairs))
      }
      await Promise.all(writes)
    },
    async end(sessionId) {
      const touched = [sessionPrefix + sessionId, sessionDeadlines, sessionIds]
      return integerOf(await redis.script('sessionEnd', touched, [sessionId, sessionsOfClientPrefix])) === 1
    },
    async get(sessionId) {
      return (await read([sessionId]))[0]
    },
    async list(after, limit, clientId) {
      const index = clientId === undefined ? sessionIds : sessionsOfClientPrefix + clientId
      return collectPages(after, limit, async (from, count) => {
        const ids = await idsAfter(redis, index, from, count)
        return { ids, found: await read(ids) }
      })
    },
    async count() {
      return integerOf(await redis.command('ZCARD', sessionDeadlines))
    },
    async reap(now, limit, leaseMs) {
      const args = [now, limit, leaseMs, sessionPrefix]
      const rows = textsOf(await redis.script('sessionReap', [sessionDeadlines, sessionIds], args))
      const reaped: SessionEntry[] = []
      for (let i = 0; i + 1 < rows.length; i += 2) reaped.push(parseEntry(textOf(rows[i + 1]), Number(rows[i])))
      return reaped
    }
  }
}

export function createRedisLicenseSlots(redis: RedisClient, keys: Keys): LicenseSlotStore {
  return {
    async acquire(licenseId, sessionId, max, endsAt, now) {
      const args = [sessionId, max, endsAt, now]
      // First, because an entry without a slot is harmless, but a slot without an entry would outlive a crash.
      await redis.command('SADD', keys.licensesOfSession(sessionId), licenseId)
      const [acquired] = await Promise.all([
        redis.script('licenseSlotAcquire', [keys.licenseSlots(licenseId)], args),
        redis.command('PEXPIRE', keys.licensesOfSession(sessionId), sessionKeyLifeMs)
      ])
      return integerOf(acquired) === 1
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

export function createRedisTickets(redis: RedisClient, keys: Keys): TicketStore {
  return {
    async put(keyId, text, lifeMs) {
      await redis.command('SET', keys.ticket(keyId), text, 'PX', lifeMs)
    },
    async get(keyId) {
      const text = await redis.command('GET', keys.ticket(keyId))
      return text === null ? undefined : textOf(text)
    }
  }
}

export function createRedisRateLimits(redis: RedisClient, keys: Keys): RateLimitStore {
  return {
    consume: async (name, cost, perMinute) =>
      integerOf(await redis.script('rateLimitConsume', [keys.rateLimit(name)], [cost, perMinute]))
  }
}
