import type { ChannelBroker } from '../channels/types.js'
import type { PresenceTracker } from '../cluster/presence.js'
import type { CodeName, ValidationCode } from '../protocol/codes.js'
import type { Limits } from '../protocol/limits.js'
import type { Registry } from '../registry/index.js'
import type { Store } from '../store/store.js'

/** The part of pino that is used here. */
export interface Log {
  debug(facts: object, sentence: string): void
  info(facts: object, sentence: string): void
  warn(facts: object, sentence: string): void
  error(facts: object, sentence: string): void
  child(bindings: object): Log
}

/** What sessions report to whoever counts. */
export interface Observer {
  handshake(result: 'welcome' | CodeName): void
  opened(transport: string): void
  ended(transport: string, code: CodeName | 'bye' | 'lost'): void
  received(type: string): void
  refused(code: CodeName): void
  validated(code: ValidationCode): void
}

/** Settings that sessions obey. */
export interface SessionSettings {
  readonly instanceId: string
  readonly heartbeatIntervalSeconds: number
  readonly heartbeatTimeoutSeconds: number
  /** Milliseconds between fresh challenges; 0: none. */
  readonly freshChallengeMs: number
  /** Frames a second in the long run; 0: any number. */
  readonly framesPerSecond: number
  readonly maxSessions: number
  readonly maxSessionsPerClient: number
  readonly limits: Limits
}

/** All that sessions stand on. Clock and randomness come from outside, so that tests can move the one and fix the other. */
export interface SessionDependencies {
  readonly settings: SessionSettings
  readonly store: Store
  readonly registry: Registry
  readonly channels: ChannelBroker
  readonly presence: PresenceTracker
  readonly observer: Observer
  readonly log: Log
  /** Unix milliseconds. */
  readonly now: () => number
  /** So many random bytes in base64url. */
  readonly randomText: (bytes: number) => string
}
