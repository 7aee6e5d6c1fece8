import type { UpstreamMessages } from '../../protocol/messages.js'
import { StoreUnavailable } from '../../store/store.js'
import type { Handler, Reply } from './handler.js'

/**
 * PROTOCOL §7. The session ends after this reply, but releases its license slots and its place in the client's session
 * count before it, so both are free once the client has read the `ack`. If the store is unavailable, the session still
 * ends, and the reaper releases the rest later.
 */
export const bye: Handler<UpstreamMessages['bye']> = async ({ dependencies, peer, licenseSlots }): Promise<Reply> => {
  const { store, boundedLog } = dependencies
  try {
    await licenseSlots.releaseAll()
    await store.sessions.end(peer.sessionId)
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    boundedLog.storeFailed('session ends', error)
  }
  return { type: 'ack' }
}
