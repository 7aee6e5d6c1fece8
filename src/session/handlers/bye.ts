import type { UpstreamMessages } from '../../protocol/messages.js'
import { StoreUnavailable } from '../../store/store.js'
import type { Handler, Reply } from './handler.js'

/**
 * PROTOCOL §7. The session ends after this reply, and releases what it holds before it: a client that has read the `ack`
 * finds its license slots and its place among the client's sessions free. Without a store the session ends all the same,
 * and the reaper releases the rest later.
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
