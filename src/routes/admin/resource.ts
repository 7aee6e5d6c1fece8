import type { Registry } from '../../registry/index.js'
import type { PresenceTracker } from '../../session/presence.js'
import type { SessionEntry, Store } from '../../store/store.js'
import type { Resource } from '../common/resource.js'

/** Dependencies of the routes under `/v1/admin`. */
export interface AdminDependencies {
  readonly registry: Registry
  readonly store: Pick<Store, 'sessions' | 'durable' | 'presence'>
  readonly presence: Pick<PresenceTracker, 'covers'>
  /** Time from a session's last activity to its deadline in the store, in milliseconds, by transport. */
  readonly sessionTimeoutMs: Readonly<Record<SessionEntry['transport'], number>>
  /** Unix milliseconds of the wall clock. */
  readonly now: () => number
  /** Unix milliseconds of the steady clock. */
  readonly steadyNow: () => number
}

/** A resource under `/v1/admin`. */
export type AdminResource = Resource<AdminDependencies>
