import type { Position, Publication } from './options.js'
import { type ChannelHandler, maxBuffered } from './subscription.js'

/** A channel that the client keeps joined. */
export interface ChannelState {
  readonly channel: string
  readonly handlers: Set<ChannelHandler>
  position: Position | undefined
  isJoined: boolean
  /** The `seq` of the pending subscribe. */
  joinSeq: number | undefined
  /** Publications that arrived while the subscribe is pending. */
  buffered: Publication[]
}

export function createChannelState(channel: string, position: Position | undefined): ChannelState {
  return { channel, handlers: new Set(), position, isJoined: false, joinSeq: undefined, buffered: [] }
}

export function bufferPublication({ buffered }: ChannelState, publication: Publication): void {
  if (buffered.length < maxBuffered) buffered.push(publication)
}

/** For a new session: starts again from the lowest position of its handlers. */
export function rewind(state: ChannelState): void {
  Object.assign(state, { isJoined: false, joinSeq: undefined, buffered: [] })
  for (const handler of state.handlers) {
    const { cursor } = handler
    handler.catchUpSeq = undefined
    if (!handler.isBehind || cursor === undefined) continue
    state.position ??= cursor
    // One of another epoch catches up by itself.
    if (cursor.epoch !== state.position.epoch) continue
    if (cursor.offset < state.position.offset) state.position = cursor
    handler.caughtUp()
  }
}
