import type { Position } from './options.js'

/** Positions in a channel. Offsets are compared only within one epoch. */

/** @param given  may have other members, like a publication */
export function positionOf({ offset, epoch }: Position): Position {
  return { offset, epoch }
}

/** Whether a publication is new at a position. */
export function isAfter(position: Position | undefined, { offset, epoch }: Position): boolean {
  return position === undefined || position.epoch !== epoch || offset > position.offset
}

/** Whether a publication follows a position without a gap. */
export function isNext(position: Position | undefined, { offset, epoch }: Position): boolean {
  return position !== undefined && position.epoch === epoch && offset === position.offset + 1
}
