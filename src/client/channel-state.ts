import { type ChannelHandler, maxBuffered } from './channel-handler.js'
import type { Position, Publication } from './options.js'
import { positionOf } from './position.js'

/** A channel that the client keeps joined. */
export interface ChannelState {
  readonly channel: string
  readonly handlers: Set<ChannelHandler>
  position: Position | undefined
  isJoined: boolean
  /** The `seq` of the pending subscribe. */
  joinSeq?: number | undefined
  /** Publications that arrived while the subscribe is pending. */
  buffered: Publication[]
}

/** The members of a subscribe. */
export interface JoinMembers {
  readonly channel: string
  readonly recover?: Position | undefined
  readonly last?: number | undefined
  readonly presence?: true | undefined
}

export function createChannelState(channel: string, position: Position | undefined): ChannelState {
  return { channel, handlers: new Set(), position, isJoined: false, buffered: [] }
}

export function wantsPresence({ handlers }: ChannelState): boolean {
  return [...handlers].some(({ wanted }) => wanted.presence)
}

/** A subscribe without it would switch presence off for all handlers (PROTOCOL §10.7). */
function presenceMember(state: ChannelState): true | undefined {
  return wantsPresence(state) || undefined
}

/** The subscribe for all handlers that have caught up. */
export function joinMembers(state: ChannelState): JoinMembers {
  const { channel, position, handlers } = state
  const presence = presenceMember(state)
  if (position !== undefined) return { channel, recover: position, presence }
  const last = Math.max(...[...handlers].map(handler => (handler.isBehind ? 0 : (handler.last ?? 0))))
  return { channel, last: last > 0 ? last : undefined, presence }
}

/** The subscribe for one handler that is behind. */
export function catchUpMembers(state: ChannelState, { last, cursor }: ChannelHandler): JoinMembers {
  const recover = last === undefined ? cursor && positionOf(cursor) : undefined
  return { channel: state.channel, recover, last, presence: presenceMember(state) }
}

export function bufferPublication({ buffered }: ChannelState, publication: Publication): void {
  if (buffered.length < maxBuffered) buffered.push(publication)
}

/** For a new session: starts again from the lowest position of its handlers. */
export function rewind(state: ChannelState): void {
  Object.assign(state, { isJoined: false, joinSeq: undefined, buffered: [] })
  for (const handler of state.handlers) {
    const { cursor, last } = handler
    handler.catchUpSeq = undefined
    if (!handler.isBehind || cursor === undefined || last !== undefined) continue
    state.position ??= cursor
    // A handler of another epoch catches up by itself.
    if (cursor.epoch !== state.position.epoch) continue
    if (cursor.offset < state.position.offset) state.position = cursor
    handler.caughtUp()
  }
  // The join recovers from there, so it cannot ask for the newest publications as well.
  if (state.position !== undefined) {
    for (const handler of state.handlers) if (handler.last !== undefined) handler.fallBehind(undefined)
  }
}
