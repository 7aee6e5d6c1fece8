import { randomBytes } from 'node:crypto'
import type {
  ChallengeStore,
  CountedSession,
  LicenseSlotStore,
  RateLimitStore,
  SessionEntry,
  SessionStore
} from '../ephemeral.js'
import { maxLicenseSlotsPerSession } from '../ephemeral.js'
import { StoreUnavailable } from '../errors.js'
import { OrderedMap } from '../ordered-map.js'
import { EmbeddedSessionCounts } from './session-counts.js'

/**
 * Ephemeral state in memory, for one process: one thread runs every method, so each is atomic. It is lost in a restart;
 * clients then open new sessions, as after any lost connection.
 */

/**
 * Most marks of used challenges. At the bound further ones are refused, because a challenge without its mark could be
 * used again. One address cannot reach it: its marks are bounded by its handshake rate.
 */
export const maxUsedChallenges = 200_000
const fenceBytes = 12

export function createEmbeddedChallenges(now: () => number): ChallengeStore {
  const ownFence = randomBytes(fenceBytes).toString('base64url')
  // The end of each mark. All have the same life, so they are in order of their ends.
  const used = new OrderedMap<string, number>()

  function removeEnded(): void {
    while ((used.oldest?.[1] ?? Number.POSITIVE_INFINITY) <= now()) used.deleteOldest()
  }

  return {
    fence: async () => ownFence,
    async use(token, fence, lifeMs) {
      removeEnded()
      if (fence !== ownFence || used.has(token)) return false
      if (used.size >= maxUsedChallenges)
        throw new StoreUnavailable(new Error(`${maxUsedChallenges} used challenges, the most that are kept`), 'unsent')
      used.set(token, now() + lifeMs)
      return true
    }
  }
}

/** Most names. At the bound the oldest entry is evicted. */
export const maxRateLimitNames = 200_000

export function createEmbeddedRateLimits(now: () => number): RateLimitStore {
  // The theoretical arrival time of the next call (generic cell rate algorithm), in unix milliseconds. The oldest entry
  // comes first: a search for a better one to evict would scan the table for each new name.
  const arrivals = new OrderedMap<string, number>()

  return {
    async consume(name, cost, perMinute) {
      const intervalMs = 60_000 / perMinute
      const arrival = Math.max(arrivals.get(name) ?? 0, now())
      const next = arrival + intervalMs * Math.max(cost, 1)
      const waitMs = Math.ceil(next - intervalMs * perMinute - now())
      if (waitMs > 0) return waitMs
      if (cost > 0) {
        arrivals.delete(name)
        if (arrivals.size >= maxRateLimitNames) arrivals.deleteOldest()
        arrivals.set(name, arrival + intervalMs * cost)
      }
      return 0
    }
  }
}

/** The live sessions of this process, and those of each client. */
class LiveSessions {
  readonly entries = new Map<string, SessionEntry>()
  readonly byClient = new Map<string, Set<string>>()
  readonly sent = new EmbeddedSessionCounts()

  add(entry: SessionEntry): void {
    const siblings = this.byClient.get(entry.clientId) ?? new Set()
    this.byClient.set(entry.clientId, siblings.add(entry.sessionId))
    this.entries.set(entry.sessionId, entry)
  }

  remove(sessionId: string): SessionEntry | undefined {
    const entry = this.entries.get(sessionId)
    if (entry === undefined) return undefined
    this.entries.delete(sessionId)
    this.sent.delete(sessionId)
    const siblings = this.byClient.get(entry.clientId)
    siblings?.delete(sessionId)
    if (siblings?.size === 0) this.byClient.delete(entry.clientId)
    return entry
  }

  counted(sessionId: string): CountedSession[] {
    const entry = this.entries.get(sessionId)
    return entry === undefined ? [] : [{ ...entry, counts: this.sent.of(sessionId) }]
  }
}

export function createEmbeddedSessions(): SessionStore {
  const live = new LiveSessions()
  return {
    async open(entry, maxPerClient) {
      if ((live.byClient.get(entry.clientId)?.size ?? 0) >= maxPerClient) return false
      live.add(entry)
      return true
    },
    async touch(touched) {
      for (const { sessionId, deadline, counts } of touched) {
        const entry = live.entries.get(sessionId)
        if (entry === undefined) continue
        if (deadline > entry.deadline) live.entries.set(sessionId, { ...entry, deadline })
        if (counts !== undefined) live.sent.add(sessionId, counts)
      }
    },
    async setAttributes(sessionId, attributes) {
      const entry = live.entries.get(sessionId)
      if (entry !== undefined) live.entries.set(sessionId, { ...entry, attributes })
      return entry !== undefined
    },
    async end(sessionId) {
      return live.remove(sessionId) !== undefined
    },
    async get(sessionId) {
      return live.entries.get(sessionId)
    },
    getMany: async sessionIds => sessionIds.flatMap(id => live.entries.get(id) ?? []),
    async list(after, limit, clientId) {
      const ids = clientId === undefined ? live.entries.keys() : (live.byClient.get(clientId) ?? [])
      return [...ids]
        .filter(id => id > after)
        .sort()
        .slice(0, limit)
        .flatMap(id => live.counted(id))
    },
    async top(limit) {
      return live.sent.topIds(limit).flatMap(id => live.counted(id))
    },
    async count() {
      return live.entries.size
    },
    async reap(now, limit, leaseMs) {
      const dead: SessionEntry[] = []
      for (const entry of live.entries.values()) {
        if (dead.length >= limit) break
        if (entry.deadline <= now) dead.push(entry)
      }
      for (const entry of dead) live.entries.set(entry.sessionId, { ...entry, deadline: now + leaseMs })
      return dead
    }
  }
}

export function createEmbeddedLicenseSlots(): LicenseSlotStore {
  /** By license and session: end of the slot, in unix milliseconds. */
  const slots = new Map<string, Map<string, number>>()
  const licensesBySession = new Map<string, Set<string>>()

  function free(licenseId: string, sessionId: string): void {
    const ends = slots.get(licenseId)
    ends?.delete(sessionId)
    if (ends?.size === 0) slots.delete(licenseId)
  }

  return {
    async acquire(licenseId, sessionId, max, endsAt, now) {
      const ends = slots.get(licenseId) ?? new Map<string, number>()
      for (const [other, end] of ends) if (end <= now) ends.delete(other)
      const licenses = licensesBySession.get(sessionId) ?? new Set<string>()
      if (!licenses.has(licenseId) && licenses.size >= maxLicenseSlotsPerSession) return 'sessionFull'
      if (!ends.has(sessionId) && ends.size >= max) return 'licenseFull'
      slots.set(licenseId, ends.set(sessionId, endsAt))
      licensesBySession.set(sessionId, licenses.add(licenseId))
      return 'acquired'
    },
    async release(licenseId, sessionId) {
      free(licenseId, sessionId)
      const licenses = licensesBySession.get(sessionId)
      licenses?.delete(licenseId)
      if (licenses?.size === 0) licensesBySession.delete(sessionId)
    },
    async releaseAll(sessionId) {
      for (const licenseId of licensesBySession.get(sessionId) ?? []) free(licenseId, sessionId)
      licensesBySession.delete(sessionId)
    }
  }
}
