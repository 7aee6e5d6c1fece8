import { hasPresence } from '../auth/permissions.js'
import type { Peer } from '../session/peer.js'
import type { Presence, PresenceEntry, PresenceStore } from '../store/presence.js'

/** Who is where, told to the store: what changed about once a second, and all of it now and then. */

/** An entry is gone when it was not told again for so long: what a crash leaves behind. */
export const presenceLifeMs = 60_000
/** All who are there are told so often. */
export const presenceBeatMs = 20_000
/** Changes that wait to be told. Those beyond are made up for: who joined with the next beat, who left by the deadline. */
export const maxPendingChanges = 100_000

/** What sessions say of themselves. Nothing here waits for the store. */
export interface PresenceTracker {
  /** Whether it is kept of a channel. */
  covers(channel: string): boolean
  joined(peer: Peer, channel: string): void
  left(peer: Peer, channel: string): void
  /**
   * Tells the store what waits. One at a time; what it does not take is made up for by the next beat.
   * @param everyone  all who are there, asked for at a beat; of sessions that live in the store those seen `since`
   * @throws StoreUnavailable
   */
  flush(everyone: (since: number) => Iterable<PresenceEntry>): Promise<void>
}

/** @param patterns  channels of which it is kept; with none nothing is ever told */
export function createPresenceTracker(
  store: PresenceStore,
  patterns: readonly string[],
  now: () => number
): PresenceTracker {
  /** The last change of each session in each channel. */
  let pending = new Map<string, { readonly who: Presence; readonly deadline: number | undefined }>()
  let beatAt = 0
  let telling: Promise<void> | undefined

  function covers(channel: string): boolean {
    return patterns.length > 0 && hasPresence(patterns, channel)
  }

  /** @param deadline  nothing: it is not there any more */
  function note({ sessionId, clientId }: Peer, channel: string, deadline: number | undefined): void {
    if (!covers(channel)) return
    const key = `${channel} ${sessionId}`
    if (!pending.has(key) && pending.size >= maxPendingChanges) return
    pending.set(key, { who: { channel, sessionId, clientId }, deadline })
  }

  async function tellNow(everyone: (since: number) => Iterable<PresenceEntry>): Promise<void> {
    const at = now()
    const since = beatAt
    const isBeat = at - beatAt >= presenceBeatMs
    const changes = [...pending.values()]
    if (!isBeat && changes.length === 0) return
    pending = new Map()
    const here = changes.flatMap(({ who, deadline }) => (deadline === undefined ? [] : [{ ...who, deadline }]))
    const gone = changes.flatMap(({ who, deadline }) => (deadline === undefined ? [who] : []))
    if (isBeat) {
      beatAt = at
      for (const entry of everyone(since)) if (covers(entry.channel)) here.push(entry)
    }
    try {
      await Promise.all([
        here.length > 0 ? store.touch(here, at) : undefined,
        gone.length > 0 ? store.leave(gone) : undefined
      ])
    } catch (error) {
      // The next call is a beat, for whoever was to be told in this one.
      beatAt = Math.min(since, at - presenceBeatMs)
      throw error
    }
  }

  return {
    covers,
    joined: (peer, channel) => note(peer, channel, now() + presenceLifeMs),
    left: (peer, channel) => note(peer, channel, undefined),
    async flush(everyone) {
      if (patterns.length === 0) return
      telling ??= tellNow(everyone).finally(() => {
        telling = undefined
      })
      await telling
    }
  }
}
