import type { EndingCode } from '../protocol/codes.js'
import type { PresenceEntry } from '../store/presence.js'
import type { SessionEntry } from '../store/store.js'
import type { Peer } from './peer.js'

/** What the hub asks of a session, whatever its transport. */
export interface LiveSession {
  readonly peer: Peer
  /** Unix milliseconds; brought forward where its key ends sooner. */
  expiresAt: number
  end(code: EndingCode): void
}

/** Sessions that live in the store and are served by any instance (the bridge's). */
export interface SessionSource {
  /** Those of a client that this instance knows. */
  ofClient(clientId: string): Iterable<LiveSession>
  /** Clients of whom it knows any. */
  clients(): Iterable<string>
  /** An operator has ended this one, which may be known here or not. */
  revoke(sessionId: string): void
  /** Those that were served since then. */
  signsOfLife(since: number): Iterable<{ readonly sessionId: string; readonly deadline: number }>
  /** Where those are that were served since then. */
  present(since: number): Iterable<PresenceEntry>
  /** One whose deadline has passed. */
  bury(entry: SessionEntry): Promise<void>
  /** About once a second. */
  tick(now: number): Promise<void>
}
