import type { BridgeStore } from './bridge.js'
import type { ChannelStore } from './channels.js'
import type { DurableStore } from './durable.js'
import type { ChallengeStore, LicenseSlotStore, RateLimitStore, SessionStore, TicketStore } from './ephemeral.js'
import type { PresenceStore } from './presence.js'

export type { AuditHead, Change, DurableStore, RecordKey, RecordWrite, StoredRecord } from './durable.js'
export type {
  ChallengeStore,
  LicenseSlotStore,
  RateLimitStore,
  SessionEntry,
  SessionStore,
  TicketStore
} from './ephemeral.js'
export { DataDirInUse, type StoreOutcome, StoreUnavailable } from './errors.js'

/**
 * Everything that the gateway keeps. There are two implementations: `embedded/` (one process, no other service) and
 * `redis/` (any number of instances). Both pass the suites in `test/store/*.suite.ts`.
 *
 * Each method is atomic. Any of them may reject with `StoreUnavailable`; none runs twice, and none hangs.
 */
export interface Store {
  readonly kind: 'embedded' | 'redis'
  readonly durable: DurableStore
  readonly challenges: ChallengeStore
  readonly sessions: SessionStore
  readonly licenseSlots: LicenseSlotStore
  readonly tickets: TicketStore
  readonly rateLimits: RateLimitStore
  readonly channels: ChannelStore
  readonly presence: PresenceStore
  readonly bridge: BridgeStore
  /** Resolves if the store works at this moment. @throws StoreUnavailable after at most a second */
  ping(): Promise<void>
  close(): Promise<void>
}
