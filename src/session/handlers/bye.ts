import type { UpstreamMessages } from '../../protocol/messages.js'
import { StoreUnavailable } from '../../store/store.js'
import type { Handler, Reply } from './handler.js'

/**
 * PROTOCOL §7. The session ends after this answer, and what it held is free before it: whoever has read the `ack` finds
 * the seats and the place among the client's sessions open. Without a store it ends all the same; its end is told later.
 */
export const bye: Handler<UpstreamMessages['bye']> = async ({ environment, peer, seats }): Promise<Reply> => {
  const { store, log } = environment
  const { sessionId, clientId } = peer
  try {
    if (seats.size > 0) await store.seats.releaseAll(sessionId)
    seats.clear()
    await store.sessions.end(sessionId)
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    log.warn({ err: error.cause, sessionId, clientId }, 'the store was not told of a bye in time')
  }
  return { type: 'ack' }
}
