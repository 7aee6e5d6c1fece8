import type { CallRouter } from '../calls/router.js'
import type { ChannelBroker } from '../channels/types.js'
import type { BoundedLog } from '../log/bounded-log.js'
import type { CodeName, ValidationCode } from '../protocol/codes.js'
import type { Limits } from '../protocol/limits.js'
import type { Registry } from '../registry/index.js'
import type { Store } from '../store/store.js'
import type { OutboxBudget } from './outbox-budget.js'
import type { PresenceNotifier, PresenceTracker } from './presence.js'
import type { SessionCapacity } from './session-capacity.js'
import type { SessionDirectory } from './session-directory.js'

/** The part of a pino logger that sessions use. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Receives session events for metrics. Calls are synchronous and must not throw. */
export interface SessionObserver {
  /** A handshake opened a session, or was refused with a code. */
  handshake(result: 'welcome' | CodeName): void
  opened(transport: string): void
  /** `bye`: the client ended the session. `lost`: its connection closed. */
  ended(transport: string, code: CodeName | 'bye' | 'lost'): void
  /** A frame with a known message type was verified. */
  received(type: string): void
  /** A frame or an exchange was refused with a code. */
  refused(code: CodeName): void
  validated(code: ValidationCode): void
}

export interface SessionSettings {
  readonly instanceId: string
  readonly heartbeatIntervalSeconds: number
  readonly heartbeatTimeoutSeconds: number
  /** Milliseconds between fresh challenges; 0: none are sent. */
  readonly freshChallengeMs: number
  /** Sustained rate of a session; 0: unlimited. */
  readonly framesPerSecond: number
  readonly maxSessionsPerClient: number
  readonly limits: Limits
}

/**
 * Dependencies of sessions on the rest of the gateway. Clock and randomness are injected, so that tests control them.
 */
export interface SessionDependencies {
  readonly settings: SessionSettings
  readonly store: Store
  readonly registry: Registry
  readonly channels: ChannelBroker
  readonly sessionCapacity: SessionCapacity
  readonly outboxes: OutboxBudget
  readonly presence: PresenceTracker
  readonly presenceNotifier: PresenceNotifier
  readonly directory: SessionDirectory
  readonly calls: CallRouter
  readonly observer: SessionObserver
  readonly log: Log
  /** For lines that peers can cause at will, or that an outage repeats. */
  readonly boundedLog: BoundedLog
  /** Unix milliseconds of the wall clock: for expiries, and for times shown to others. */
  readonly now: () => number
  /** Unix milliseconds of the steady clock: for silence of peers, and for rates. */
  readonly steadyNow: () => number
  /** Whether silence of peers is ignored, because this process was paused and received nothing. */
  readonly isGracePeriod: () => boolean
  /** Returns this number of random bytes in base64url. */
  readonly randomText: (bytes: number) => string
}
