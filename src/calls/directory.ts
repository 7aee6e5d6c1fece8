import type { SessionEntry } from '../store/store.js'

/** What a call needs to know of a session. */
export type Receiver = Pick<SessionEntry, 'sessionId' | 'clientId' | 'instanceId' | 'transport'>

/** Finds the live sessions that calls go to. */
export interface ReceiverDirectory {
  /** @throws StoreUnavailable */
  get(sessionId: string): Promise<Receiver | undefined>
  /** The session of a client that was seen last; it may have ended meanwhile. @throws StoreUnavailable */
  mostRecentlySeen(clientId: string): Promise<Receiver | undefined>
  /** Makes the next {@link mostRecentlySeen} look again. */
  forget(clientId: string): void
}

/** Who a call is for, as its caller wrote it. */
export type CallTarget = { readonly sessionId: string } | { readonly clientId: string }
