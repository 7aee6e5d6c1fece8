import { randomBytes } from 'node:crypto'
import type { ChallengeStore, LicenseSlotStore, RateLimitStore, SessionEntry, SessionStore } from '../ephemeral.js'
import { StoreUnavailable } from '../errors.js'

/**
 * Ephemeral state in memory, for one process: one thread runs every method, so each is atomic. A restart forgets it;
 * clients then open new sessions, as after any lost connection.
 */

/**
 * Most marks of used challenges. At the bound further ones are refused, because a challenge without its mark could be used
 * again. An address reaches it never: its marks are bounded by the handshakes that it may complete.
 */
export const maxUsedChallenges = 200_000
const fenceBytes = 12

export function createEmbeddedChallenges(now: () => number): ChallengeStore {
  const ownFence = randomBytes(fenceBytes).toString('base64url')
  // When each mark ends. All have the same life, so they are in the order of their ends.
  const used = new Map<string, number>()

  function removeEnded(): void {
    for (const [token, endsAt] of used) {
      if (endsAt > now()) return
      used.delete(token)
    }
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

/** Most names. At the bound the one that was counted longest ago is evicted. */
export const maxRateLimitNames = 200_000

export function createEmbeddedRateLimits(now: () => number): RateLimitStore {
  // The theoretical arrival time of the next call (generic cell rate algorithm), unix milliseconds. The name that was
  // counted longest ago comes first: looking for a better one would cost a pass over the table for each new name.
  const arrivals = new Map<string, number>()

  return {
    async consume(name, cost, perMinute) {
      const intervalMs = 60_000 / perMinute
      const arrival = Math.max(arrivals.get(name) ?? 0, now())
      const next = arrival + intervalMs * Math.max(cost, 1)
      const waitMs = Math.ceil(next - intervalMs * perMinute - now())
      if (waitMs > 0) return waitMs
      if (cost > 0) {
        arrivals.delete(name)
        const [oldest] = arrivals.size >= maxRateLimitNames ? arrivals.keys() : []
        if (oldest !== undefined) arrivals.delete(oldest)
        arrivals.set(name, arrival + intervalMs * cost)
      }
      return 0
    }
  }
}

export function createEmbeddedSessions(): SessionStore {
  const live = new Map<string, SessionEntry>()
  const byClient = new Map<string, Set<string>>()

  function remove(sessionId: string): SessionEntry | undefined {
    const entry = live.get(sessionId)
    if (entry === undefined) return undefined
    live.delete(sessionId)
    const siblings = byClient.get(entry.clientId)
    siblings?.delete(sessionId)
    if (siblings?.size === 0) byClient.delete(entry.clientId)
    return entry
  }

  return {
    async open(entry, maxPerClient) {
      const siblings = byClient.get(entry.clientId) ?? new Set()
      if (siblings.size >= maxPerClient) return false
      byClient.set(entry.clientId, siblings.add(entry.sessionId))
      live.set(entry.sessionId, entry)
      return true
    },
    async touch(deadlines) {
      for (const { sessionId, deadline } of deadlines) {
        const entry = live.get(sessionId)
        if (entry !== undefined && deadline > entry.deadline) live.set(sessionId, { ...entry, deadline })
      }
    },
    async end(sessionId) {
      return remove(sessionId) !== undefined
    },
    async get(sessionId) {
      return live.get(sessionId)
    },
    async list(after, limit, clientId) {
      const ids = clientId === undefined ? live.keys() : (byClient.get(clientId) ?? [])
      return [...ids]
        .filter(id => id > after)
        .sort()
        .slice(0, limit)
        .flatMap(id => live.get(id) ?? [])
    },
    async count() {
      return live.size
    },
    async reap(now, limit, leaseMs) {
      const dead: SessionEntry[] = []
      for (const entry of live.values()) {
        if (dead.length >= limit) break
        if (entry.deadline <= now) dead.push(entry)
      }
      for (const entry of dead) live.set(entry.sessionId, { ...entry, deadline: now + leaseMs })
      return dead
    }
  }
}

export function createEmbeddedLicenseSlots(): LicenseSlotStore {
  /** By license and session: when the slot ends, unix milliseconds. */
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
      if (!ends.has(sessionId) && ends.size >= max) return false
      slots.set(licenseId, ends.set(sessionId, endsAt))
      const licenses = licensesBySession.get(sessionId) ?? new Set()
      licensesBySession.set(sessionId, licenses.add(licenseId))
      return true
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
