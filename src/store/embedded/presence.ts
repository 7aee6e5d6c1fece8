import { maxPresent, type PresenceEntry, type PresenceStore } from '../presence.js'

/** Interval at which ended entries of channels without any calls are removed. */
const sweepEveryMs = 60_000

/** Presence in memory, for one process. */
export function createEmbeddedPresence(): PresenceStore {
  const channels = new Map<string, Map<string, PresenceEntry>>()
  let sweptAt = 0

  function removeEnded(channel: string, present: Map<string, PresenceEntry>, now: number): void {
    for (const [sessionId, { deadline }] of present) if (deadline <= now) present.delete(sessionId)
    if (present.size === 0) channels.delete(channel)
  }

  function presentAt(channel: string, now: number): PresenceEntry[] {
    return [...(channels.get(channel)?.values() ?? [])].filter(({ deadline }) => deadline > now)
  }

  return {
    async touch(entries, now) {
      if (now - sweptAt >= sweepEveryMs) {
        sweptAt = now
        for (const [channel, present] of channels) removeEnded(channel, present, now)
      }
      const swept = new Set<string>()
      for (const entry of entries) {
        const { channel, sessionId, deadline } = entry
        const present = channels.get(channel) ?? new Map<string, PresenceEntry>()
        const known = present.get(sessionId)
        if (known === undefined && present.size >= maxPresent) {
          if (!swept.has(channel)) removeEnded(channel, present, now)
          swept.add(channel)
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
    count: async (channel, now) => presentAt(channel, now).length,
    list: async (channel, after, limit, now) =>
      presentAt(channel, now)
        .filter(({ sessionId }) => sessionId > after)
        .sort((a, b) => (a.sessionId < b.sessionId ? -1 : 1))
        .slice(0, limit)
        .map(({ sessionId, clientId }) => ({ channel, sessionId, clientId }))
  }
}
