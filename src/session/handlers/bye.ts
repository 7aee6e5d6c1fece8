import type { UpstreamMessages } from '../../protocol/messages.js'
import { StoreUnavailable } from '../../store/store.js'
import type { Handler, Reply } from './handler.js'

/**
 * PROTOCOL §7. The session ends after this answer, and what it held is free before it: whoever has read the `ack` finds
 * the licenseSlots and the place among the client's sessions open. Without a store it ends all the same; its end is told later.
 */
export const bye: Handler<UpstreamMessages['bye']> = async ({ dependencies, peer, licenseSlots }): Promise<Reply> => {
  const { store, log } = dependencies
  const { sessionId, clientId } = peer
  try {
    if (licenseSlots.size > 0) await store.licenseSlots.releaseAll(sessionId)
    licenseSlots.clear()
    await store.sessions.end(sessionId)
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    log.warn({ err: error.cause, sessionId, clientId }, 'the store was not told of a bye in time')
  }
  return { type: 'ack' }
}
