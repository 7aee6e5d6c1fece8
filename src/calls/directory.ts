import type { SessionEntry } from '../store/store.js'

/** A live session as a receiver of calls. */
export type Receiver = Pick<SessionEntry, 'sessionId' | 'clientId' | 'instanceId' | 'transport'>

/** Finds the live sessions that calls go to. */
export interface ReceiverDirectory {
  /** @throws StoreUnavailable */
  get(sessionId: string): Promise<Receiver | undefined>
  /** The most recently seen session of a client; it may have ended meanwhile. @throws StoreUnavailable */
  mostRecentlySeen(clientId: string): Promise<Receiver | undefined>
  /** Makes the next {@link mostRecentlySeen} ask the store again. */
  forget(clientId: string): void
}

/** The receiver of a call, as its caller wrote it. */
export type CallTarget = { readonly sessionId: string } | { readonly clientId: string }
