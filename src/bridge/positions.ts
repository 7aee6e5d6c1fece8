import type { Position } from '../store/channels.js'

/** Positions of a session in its channels. Maps are shared between states and never mutated. */
export type Positions = ReadonlyMap<string, Position>

/** New positions by channel; undefined: the session left the channel. */
export type PositionChanges = ReadonlyMap<string, Position | undefined>

type Moves = readonly (readonly [channel: string, position: Position | undefined])[]

const noMoves: Moves = []
export const noChanges: PositionChanges = new Map()

/** A copy with some values replaced; undefined removes one. */
export function applyChanges<Key, Value>(
  before: ReadonlyMap<Key, Value>,
  changes: ReadonlyMap<Key, Value | undefined>
): ReadonlyMap<Key, Value> {
  if (changes.size === 0) return before
  const after = new Map(before)
  for (const [key, value] of changes) {
    if (value === undefined) after.delete(key)
    else after.set(key, value)
  }
  return after
}

/** The changes that join or leave a channel. */
export function joinsAndLeaves(positions: Positions, changes: PositionChanges): Moves {
  if (changes.size === 0) return noMoves
  return [...changes].filter(([channel, position]) => positions.has(channel) !== (position !== undefined))
}
