import { maxPresent, maxReportedChanges, type Presence, type PresenceEntry, type PresenceStore } from '../presence.js'

/** Interval at which ended entries of channels without any calls are removed. */
const sweepEveryMs = 60_000

/** Changes made by one call, as it reports them. */
class Changes {
  readonly joined: Presence[] = []
  readonly left: Presence[] = []
  readonly #counts = new Map<string, number>()

  add(kind: 'joined' | 'left', { channel, sessionId, clientId }: Presence): void {
    const key = `${kind} ${channel}`
    const count = this.#counts.get(key) ?? 0
    if (count >= maxReportedChanges) return
    this.#counts.set(key, count + 1)
    this[kind].push({ channel, sessionId, clientId })
  }
}

/** Entries by channel and session. */
class PresenceTable {
  readonly #channels = new Map<string, Map<string, PresenceEntry>>()

  /** The entries of a channel that have not ended. */
  at(channel: string, now: number): PresenceEntry[] {
    return [...(this.#channels.get(channel)?.values() ?? [])].filter(({ deadline }) => deadline > now)
  }

  removeEnded(channels: Iterable<string>, now: number, changes: Changes): void {
    for (const channel of channels) {
      const present = this.#channels.get(channel)
      for (const [sessionId, entry] of present ?? []) {
        if (entry.deadline > now) continue
        present?.delete(sessionId)
        changes.add('left', entry)
      }
      if (present?.size === 0) this.#channels.delete(channel)
    }
  }

  removeAllEnded(now: number, changes: Changes): void {
    this.removeEnded([...this.#channels.keys()], now, changes)
  }

  /** @param swept  channels whose ended entries were removed by this call */
  touch(entry: PresenceEntry, now: number, changes: Changes, swept: Set<string>): void {
    const { channel, sessionId, deadline } = entry
    const known = this.#channels.get(channel)?.get(sessionId)
    if (known === undefined && this.#isFull(channel)) {
      if (!swept.has(channel)) this.removeEnded([channel], now, changes)
      swept.add(channel)
      if (this.#isFull(channel)) return
    }
    if (known === undefined) changes.add('joined', entry)
    if (known !== undefined && known.deadline >= deadline) return
    const present = this.#channels.get(channel) ?? new Map<string, PresenceEntry>()
    this.#channels.set(channel, present.set(sessionId, entry))
  }

  #isFull(channel: string): boolean {
    return (this.#channels.get(channel)?.size ?? 0) >= maxPresent
  }

  leave({ channel, sessionId }: Presence, changes: Changes): void {
    const present = this.#channels.get(channel)
    const entry = present?.get(sessionId)
    if (entry === undefined) return
    present?.delete(sessionId)
    changes.add('left', entry)
    if (present?.size === 0) this.#channels.delete(channel)
  }
}

/** Presence in memory, for one process. */
export function createEmbeddedPresence(): PresenceStore {
  const table = new PresenceTable()
  let sweptAt = 0

  return {
    async touch(entries, now) {
      const changes = new Changes()
      if (now - sweptAt >= sweepEveryMs) {
        sweptAt = now
        table.removeAllEnded(now, changes)
      }
      const swept = new Set<string>()
      for (const entry of entries) table.touch(entry, now, changes, swept)
      return changes
    },
    async leave(gone) {
      const changes = new Changes()
      for (const who of gone) table.leave(who, changes)
      return changes
    },
    async sweep(channels, now) {
      const changes = new Changes()
      table.removeEnded(channels, now, changes)
      return changes
    },
    count: async (channel, now) => table.at(channel, now).length,
    list: async (channel, after, limit, now) =>
      table
        .at(channel, now)
        .filter(({ sessionId }) => sessionId > after)
        .sort((a, b) => (a.sessionId < b.sessionId ? -1 : 1))
        .slice(0, limit)
        .map(({ sessionId, clientId }) => ({ channel, sessionId, clientId }))
  }
}
