import {
  type ChallengeStore,
  type LicenseSlotStore,
  type RateLimitStore,
  type SessionEntry,
  type SessionStore,
  StoreUnavailable,
  type TicketStore
} from '../store.js'

/**
 * Passing things in memory, for one process: one thread runs every verb, so each is atomic. A restart forgets them;
 * clients open new sessions, which is what they do after any lost connection.
 */

/** Challenges that are out at one time. At the bound new ones are refused rather than honest ones thrown away. */
export const maxOpenChallenges = 200_000

export function createEmbeddedChallenges(now: () => number): ChallengeStore {
  // In the order of issue, and all of one life: the first is the next to end.
  const open = new Map<string, { binding: string; endsAt: number }>()

  function forgetEnded(): void {
    for (const [token, { endsAt }] of open) {
      if (endsAt > now()) return
      open.delete(token)
    }
  }

  return {
    async put(token, binding, lifeMs) {
      forgetEnded()
      if (open.size >= maxOpenChallenges) throw new StoreUnavailable(new Error('too many open challenges'), 'unsent')
      open.set(token, { binding, endsAt: now() + lifeMs })
    },
    async consume(token) {
      const challenge = open.get(token)
      open.delete(token)
      return challenge !== undefined && challenge.endsAt > now() ? challenge.binding : undefined
    }
  }
}

/** Tickets that live at one time. At the bound new ones are refused. */
export const maxLiveTickets = 500_000

export function createEmbeddedTickets(now: () => number): TicketStore {
  const live = new Map<string, { text: string; endsAt: number }>()

  function forgetEnded(): void {
    for (const [keyId, { endsAt }] of live) if (endsAt <= now()) live.delete(keyId)
  }

  return {
    async put(keyId, text, lifeMs) {
      if (live.size >= maxLiveTickets) forgetEnded()
      if (live.size >= maxLiveTickets) throw new StoreUnavailable(new Error('too many live tickets'), 'unsent')
      live.set(keyId, { text, endsAt: now() + lifeMs })
    },
    async get(keyId) {
      const ticket = live.get(keyId)
      return ticket !== undefined && ticket.endsAt > now() ? ticket.text : undefined
    }
  }
}

/** Names whose rates are remembered; those that are back at rest are forgotten first, then the longest known. */
export const maxRateLimitNames = 200_000

export function createEmbeddedRateLimits(now: () => number): RateLimitStore {
  // The theoretical arrival time of the next one, were everything spread evenly.
  const arrivals = new Map<string, number>()

  function makeRoom(): void {
    for (const [name, arrival] of arrivals) if (arrival <= now()) arrivals.delete(name)
    const [oldest] = arrivals.keys()
    if (arrivals.size >= maxRateLimitNames && oldest !== undefined) arrivals.delete(oldest)
  }

  return {
    async consume(name, cost, perMinute) {
      const intervalMs = 60_000 / perMinute
      const arrival = Math.max(arrivals.get(name) ?? 0, now())
      const next = arrival + intervalMs * Math.max(cost, 1)
      const waitMs = Math.ceil(next - intervalMs * perMinute - now())
      if (waitMs > 0) return waitMs
      if (cost > 0) {
        if (!arrivals.has(name) && arrivals.size >= maxRateLimitNames) makeRoom()
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
  const seats = new Map<string, Map<string, number>>()
  const bySession = new Map<string, Set<string>>()

  function leave(licenseId: string, sessionId: string): void {
    const taken = seats.get(licenseId)
    taken?.delete(sessionId)
    if (taken?.size === 0) seats.delete(licenseId)
  }

  return {
    async acquire(licenseId, sessionId, max, endsAt, now) {
      const taken = seats.get(licenseId) ?? new Map<string, number>()
      for (const [other, ends] of taken) if (ends <= now) taken.delete(other)
      if (!taken.has(sessionId) && taken.size >= max) return false
      seats.set(licenseId, taken.set(sessionId, endsAt))
      const held = bySession.get(sessionId) ?? new Set()
      bySession.set(sessionId, held.add(licenseId))
      return true
    },
    async release(licenseId, sessionId) {
      leave(licenseId, sessionId)
      const held = bySession.get(sessionId)
      held?.delete(licenseId)
      if (held?.size === 0) bySession.delete(sessionId)
    },
    async releaseAll(sessionId) {
      for (const licenseId of bySession.get(sessionId) ?? []) leave(licenseId, sessionId)
      bySession.delete(sessionId)
    }
  }
}
