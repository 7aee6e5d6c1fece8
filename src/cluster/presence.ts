import type { Peer } from '../auth/peer.js'
import { hasPresence } from '../auth/permissions.js'
import { type PresenceTracker, presenceLifeMs } from '../session/presence.js'
import type { Presence, PresenceEntry, PresenceStore } from '../store/presence.js'

/** All present sessions are written to the store again after this time, so that their entries do not end. */
export const presenceRefreshMs = 20_000
/**
 * Changes that wait for the next flush. Further ones are dropped: the next refresh makes up for a join, the entry's
 * deadline for a leave.
 */
export const maxPendingChanges = 100_000

/** A presence tracker that writes to the store: changes about once a second, and everything at each refresh. */
export interface StoredPresenceTracker extends PresenceTracker {
  /**
   * Writes pending changes. One flush runs at a time. The next refresh makes up for a failed one.
   * @param everyone  lists all present sessions for a refresh. `since` is the previous refresh in Unix milliseconds:
   *   sessions that only the store holds are listed if they were active since then
   * @throws StoreUnavailable
   */
  flush(everyone: (since: number) => Iterable<PresenceEntry>): Promise<void>
}

interface PendingChange {
  readonly who: Presence
  /** Unix milliseconds; undefined when the session left. */
  readonly deadline: number | undefined
}

/**
 * @param patterns  channels for which presence is kept. When empty, it costs no store commands.
 * @param now       Unix milliseconds of the steady clock
 */
export function createPresenceTracker(
  store: PresenceStore,
  patterns: readonly string[],
  now: () => number
): StoredPresenceTracker {
  /** The last change of each session in each channel. */
  let pending = new Map<string, PendingChange>()
  let refreshedAt = 0
  let flushing: Promise<void> | undefined

  function covers(channel: string): boolean {
    return patterns.length > 0 && hasPresence(patterns, channel)
  }

  function enqueue({ sessionId, clientId }: Peer, channel: string, deadline: number | undefined): void {
    if (!covers(channel)) return
    const key = `${channel} ${sessionId}`
    if (!pending.has(key) && pending.size >= maxPendingChanges) return
    pending.set(key, { who: { channel, sessionId, clientId }, deadline })
  }

  async function flushNow(everyone: (since: number) => Iterable<PresenceEntry>): Promise<void> {
    const at = now()
    const since = refreshedAt
    const isRefresh = at - refreshedAt >= presenceRefreshMs
    const changes = [...pending.values()]
    if (!isRefresh && changes.length === 0) return
    pending = new Map()
    const present = changes.flatMap(({ who, deadline }) => (deadline === undefined ? [] : [{ ...who, deadline }]))
    const gone = changes.flatMap(({ who, deadline }) => (deadline === undefined ? [who] : []))
    if (isRefresh) {
      refreshedAt = at
      for (const entry of everyone(since)) if (covers(entry.channel)) present.push(entry)
    }
    try {
      await Promise.all([
        present.length > 0 ? store.touch(present, at) : undefined,
        gone.length > 0 ? store.leave(gone) : undefined
      ])
    } catch (error) {
      // Makes the next flush a refresh, which includes the changes that this one lost.
      refreshedAt = Math.min(since, at - presenceRefreshMs)
      throw error
    }
  }

  return {
    covers,
    joined: (peer, channel) => enqueue(peer, channel, now() + presenceLifeMs),
    left: (peer, channel) => enqueue(peer, channel, undefined),
    async flush(everyone) {
      if (patterns.length === 0) return
      flushing ??= flushNow(everyone).finally(() => {
        flushing = undefined
      })
      await flushing
    }
  }
}
