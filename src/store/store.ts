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
  TicketStore
} from './ephemeral.js'
export {
  DataDirInUse,
  DataDirUnusable,
  ShareExceeded,
  StoreMisconfigured,
  type StoreOutcome,
  StoreUnavailable
} from './errors.js'
export { identityKey, RecordLost, StoreDamaged, type StorePin } from './pin.js'

/** How to reach Redis, as it is configured. */
export interface RedisChoice {
  readonly kind: 'redis'
  /** One of the forms of COUNTERSIGN_STORE. */
  readonly url: string
  /** PEM file of the authorities that are trusted. */
  readonly caFile?: string
  readonly sentinelPassword?: string
}

/** How much of a bound is used: of something that the store keeps in this process. */
export interface StoreBound {
  /** A label for metrics, e.g. `history_bytes`. */
  readonly name: string
  readonly used: number
  readonly limit: number
}

/** Memory of a store that bounds it by itself. */
export interface StoreMemory {
  readonly usedBytes: number
  /** Above, it refuses what needs memory. */
  readonly maxBytes: number
}

/**
 * Everything that the gateway keeps. There are two implementations: `embedded/` (one process, no other service) and
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
  /** Where instances add up what each client uses. Absent: this process counts alone. */
  readonly quotas?: QuotaStore
  /**
   * What each live instance announces, this one included once it has done so. Undefined if the store does not report
   * which instances there are.
   */
  announcements(): Promise<readonly InstanceAnnouncement[] | undefined>
  /** How long its calls took. */
  readonly durations: StoreDurations
  /** Bounds of what the store keeps in this process; empty with Redis, which has its own. */
  bounds(): readonly StoreBound[]
  /**
   * The memory that the store may use. Absent: see {@link bounds}.
   * @returns undefined if it is unlimited
   * @throws StoreUnavailable, also if the store hides it
   */
  memory?(): Promise<StoreMemory | undefined>
  /** Whether the store lately refused calls for lack of memory. It may accept smaller ones, and those that protect. */
  readonly isFull: boolean
  /** Resolves if the store works at this moment. @throws StoreUnavailable after at most a second */
  ping(): Promise<void>
  /** The clock that all instances share, in unix milliseconds. Absent: this process is alone. @throws StoreUnavailable */
  time?(): Promise<number>
  close(): Promise<void>
}
