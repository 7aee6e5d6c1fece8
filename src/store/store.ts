import type { BridgeStore, InstanceAnnouncement } from './bridge.js'
import type { CallStore } from './calls.js'
import type { ChannelStore } from './channels.js'
import type { DurableStore } from './durable.js'
import type { StoreDurations } from './durations.js'
import type { ChallengeStore, LicenseSlotStore, RateLimitStore, SessionStore, TicketStore } from './ephemeral.js'
import type { StorePin } from './pin.js'
import type { PresenceStore } from './presence.js'
import type { QuotaStore } from './quotas.js'
import type { RestoreStore } from './restore.js'

export type { InstanceAnnouncement } from './bridge.js'
export type {
  AuditHead,
  Change,
  DamageCheck,
  DurableStore,
  RecordKey,
  RecordWrite,
  StoredRecord
} from './durable.js'
export { lostParts } from './durable.js'
export type {
  ChallengeStore,
  CountedSession,
  LicenseSlotStore,
  RateLimitStore,
  SessionCounts,
  SessionEntry,
  SessionStore,
  SlotOutcome,
  TicketStore
} from './ephemeral.js'
export { maxLicenseSlotsPerSession } from './ephemeral.js'
export {
  DataDirInUse,
  DataDirUnusable,
  ShareExceeded,
  StoreMisconfigured,
  type StoreOutcome,
  StoreUnavailable
} from './errors.js'
export { identityKey, RecordLost, StoreDamaged, type StorePin } from './pin.js'

/** Connection to Redis, as configured. */
export interface RedisChoice {
  readonly kind: 'redis'
  /** One of the forms of COUNTERSIGN_STORE. */
  readonly url: string
  /** PEM file of the trusted authorities. */
  readonly caFile?: string
  readonly sentinelPassword?: string
}

/** The use of a bound of this process. */
export interface StoreBound {
  /** A label for metrics, e.g. `history_bytes`. */
  readonly name: string
  readonly used: number
  readonly limit: number
}

/** Memory of a store that bounds it by itself. */
export interface StoreMemory {
  readonly usedBytes: number
  /** Above, it refuses calls that need memory. */
  readonly maxBytes: number
}

/**
 * All stored data of the gateway. There are two implementations: `embedded/` (one process, no other service) and
 * `redis/` (any number of instances). Both pass the suites in `test/store/*.suite.ts`.
 *
 * Each method is atomic. Any of them may reject with `StoreUnavailable`; none runs twice, and none hangs.
 */
export interface Store {
  readonly kind: 'embedded' | 'redis'
  readonly durable: DurableStore
  readonly pin: StorePin
  readonly restore: RestoreStore
  readonly challenges: ChallengeStore
  readonly sessions: SessionStore
  readonly licenseSlots: LicenseSlotStore
  readonly tickets: TicketStore
  readonly rateLimits: RateLimitStore
  readonly channels: ChannelStore
  readonly presence: PresenceStore
  readonly bridge: BridgeStore
  readonly calls: CallStore
  /** Adds up the use of each client over instances. Absent: this process counts alone. */
  readonly quotas?: QuotaStore
  /**
   * Announcements of all live instances, including this one after its first. Undefined if the store cannot list the
   * instances.
   */
  announcements(): Promise<readonly InstanceAnnouncement[] | undefined>
  /** Durations of its calls. */
  readonly durations: StoreDurations
  /** Bounds of the store in this process; empty with Redis, which has its own. */
  bounds(): readonly StoreBound[]
  /**
   * The memory limit of the store. Absent: see {@link bounds}.
   * @returns undefined if it is unlimited
   * @throws StoreUnavailable, also if the store does not report it
   */
  memory?(): Promise<StoreMemory | undefined>
  /** Whether the store recently refused calls for lack of memory. It may accept smaller and protective ones. */
  readonly isFull: boolean
  /** Resolves if the store works now. @throws StoreUnavailable after at most a second */
  ping(): Promise<void>
  /**
   * The clock that all instances share, in unix milliseconds. Absent: this process is alone. @throws StoreUnavailable
   */
  time?(): Promise<number>
  close(): Promise<void>
}
