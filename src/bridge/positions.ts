import type { Position } from '../store/channels.js'

/** Where a session stands in its channels. Maps are shared and never changed. */

type Positions = ReadonlyMap<string, Position>
type PositionChanges = ReadonlyMap<string, Position | undefined>
type Moves = readonly (readonly [channel: string, position: Position | undefined])[]

const noMoves: Moves = []

/** Positions after changes; nothing: the channel was left. */
export function moved(positions: Positions, changes: PositionChanges): Positions {
  if (changes.size === 0) return positions
  const after = new Map(positions)
  for (const [channel, position] of changes) {
    if (position === undefined) after.delete(channel)
    else after.set(channel, position)
  }
  return after
}

/** The changes that join or leave a channel. */
export function movesBetween(positions: Positions, changes: PositionChanges): Moves {
  if (changes.size === 0) return noMoves
  return [...changes].filter(([channel, at]) => positions.has(channel) !== (at !== undefined))
}
