import type { Position } from '../store/channels.js'

/** Positions of a session in its channels. Maps are shared between states and never mutated. */
export type Positions = ReadonlyMap<string, Position>

/** New positions by channel; undefined: the session left the channel. */
export type PositionChanges = ReadonlyMap<string, Position | undefined>

type Moves = readonly (readonly [channel: string, position: Position | undefined])[]

const noMoves: Moves = []
export const noChanges: PositionChanges = new Map()

export function applyChanges(positions: Positions, changes: PositionChanges): Positions {
  if (changes.size === 0) return positions
  const after = new Map(positions)
  for (const [channel, position] of changes) {
    if (position === undefined) after.delete(channel)
    else after.set(channel, position)
  }
  return after
}

/** The changes that join or leave a channel. */
export function joinsAndLeaves(positions: Positions, changes: PositionChanges): Moves {
  if (changes.size === 0) return noMoves
  return [...changes].filter(([channel, position]) => positions.has(channel) !== (position !== undefined))
}
