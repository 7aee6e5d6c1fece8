/** Settings of the bridge, and bounds that are not configurable. */
export interface BridgeSettings {
  /** Silence after which a session is dead, in seconds; the welcome states it (PROTOCOL §6.1). */
  readonly heartbeatTimeoutSeconds: number
  /** How long a held poll waits after its first frame so that more frames share the answer (PROTOCOL §9.4 g). */
  readonly lingerMs: number
  /** How long an exchange waits for answers to its own messages (PROTOCOL §9.4 d). */
  readonly answerWithinMs: number
}

/** The value of the specification (PROTOCOL §9.4 d). */
export const defaultAnswerWithinMs = 5000
/** Exchanges of one session in flight on one instance (PROTOCOL §9.5). */
export const maxExchangesInFlight = 4
/** How long the store keeps the keys of an ended session, which sign its 410 (PROTOCOL §5.2). */
export const endedRetentionMs = 120_000
/** Interval between reloads of claims of another instance: the notification of their answers may be lost. */
export const claimPollIntervalMs = 1000
/** A claim that a live instance leaves unanswered for this time is taken over. */
export const claimTakeoverAfterMs = 10_000
/** A message that waited this long is checked before it runs: another instance may have taken over its claim. */
export const claimRecheckAfterMs = 3000
/** Attempts of one commit while commits of other instances come first. */
export const maxCommitAttempts = 32
/** Longest hold of a poll that arrives while this instance drains. */
export const drainMaxHoldMs = 1000
/** A draining instance without an exchange for this time has no bridge clients left. */
export const drainIdleMs = 2 * drainMaxHoldMs
/** After the store was rewound, clients reconnect at random times within this period. */
export const reconnectSpreadMs = 30_000
/** After notifications may have been missed, held polls reload at random times within this period. */
export const reloadSpreadMs = 5000

/** Unverified requests of one address in a minute; above it the address must wait. */
export const unverifiedPerMinute = 600
