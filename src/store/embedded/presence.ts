import { maxPresent, type Presence, type PresenceStore } from '../presence.js'

interface Present extends Presence {
  readonly deadline: number
}

/** Channels that nobody touches are looked through so often. */
const sweepEveryMs = 60_000

/** Who is in which channel, in memory. */
export function createEmbeddedPresence(): PresenceStore {
  const channels = new Map<string, Map<string, Present>>()
  let sweptAt = 0

  function forgetOverdue(channel: string, present: Map<string, Present>, now: number): void {
    for (const [sessionId, { deadline }] of present) if (deadline <= now) present.delete(sessionId)
    if (present.size === 0) channels.delete(channel)
  }

  function presentAt(channel: string, now: number): Present[] {
    return [...(channels.get(channel)?.values() ?? [])].filter(({ deadline }) => deadline > now)
  }

  return {
    async touch(entries, now) {
      if (now - sweptAt >= sweepEveryMs) {
        sweptAt = now
        for (const [channel, present] of channels) forgetOverdue(channel, present, now)
      }
      const lookedThrough = new Set<string>()
      for (const entry of entries) {
        const { channel, sessionId, deadline } = entry
        const present = channels.get(channel) ?? new Map<string, Present>()
        const known = present.get(sessionId)
        if (known === undefined && present.size >= maxPresent) {
          if (!lookedThrough.has(channel)) forgetOverdue(channel, present, now)
          lookedThrough.add(channel)
          if (present.size >= maxPresent) continue
        }
        if (known === undefined || known.deadline < deadline) present.set(sessionId, entry)
        channels.set(channel, present)
      }
    },
    async leave(gone) {
      for (const { channel, sessionId } of gone) {
        const present = channels.get(channel)
        present?.delete(sessionId)
        if (present?.size === 0) channels.delete(channel)
      }
    },
    async count(channel, now) {
      return presentAt(channel, now).length
    },
    async list(channel, after, limit, now) {
      return presentAt(channel, now)
        .filter(({ sessionId }) => sessionId > after)
        .sort((a, b) => (a.sessionId < b.sessionId ? -1 : 1))
        .slice(0, limit)
        .map(({ sessionId, clientId }) => ({ channel, sessionId, clientId }))
    }
  }
}
