import type { Position } from '../store/channels.js'

/** Where a session stands in its channels. Maps are shared and never changed. */

type Positions = ReadonlyMap<string, Position>

/** Positions after changes; nothing: the channel was left. */
export function moved(positions: Positions, changes: ReadonlyMap<string, Position | undefined>): Positions {
  if (changes.size === 0) return positions
  const after = new Map(positions)
  for (const [channel, position] of changes) {
    if (position === undefined) after.delete(channel)
    else after.set(channel, position)
  }
  return after
}

/** Whether a channel is joined or left. */
export function changesChannels(positions: Positions, changes: ReadonlyMap<string, Position | undefined>): boolean {
  for (const [channel, at] of changes) if (positions.has(channel) !== (at !== undefined)) return true
  return false
}
