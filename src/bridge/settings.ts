/** Settings of the bridge, and bounds that are not configurable. */
export interface BridgeSettings {
  /** Silence after which a session is dead, in seconds; the welcome states it (PROTOCOL §6.1). */
  readonly heartbeatTimeoutSeconds: number
  /** How long a held poll waits after its first frame so that more frames share the answer (PROTOCOL §9.4 g). */
  readonly lingerMs: number
  /** How long an exchange waits for answers to its own messages (PROTOCOL §9.4 d). */
  readonly answerWithinMs: number
}

/** The value that the specification gives (PROTOCOL §9.4 d). */
export const defaultAnswerWithinMs = 5000
/** How long a client waits before it repeats an exchange that the gateway refused for the moment. */
export const retryAfterMs = 1000
/** Exchanges of one session in flight on one instance (PROTOCOL §9.5). */
export const maxExchangesInFlight = 4
/** How long the store keeps the keys of an ended session, which sign its 410 (PROTOCOL §5.2). */
export const endedRetentionMs = 120_000
/** How often an instance reloads claims of another instance: the notification that they were answered may be lost. */
export const claimPollIntervalMs = 1000
/** A claim that a live instance leaves unanswered for this time is taken over all the same. */
export const claimTakeoverAfterMs = 10_000
/** A message that waited this long before it runs is checked first: another instance may have taken over its claim. */
export const claimRecheckAfterMs = 3000
/** Attempts of one commit while commits of other instances come first. */
export const maxCommitAttempts = 32
/** The longest hold of a poll that arrives while this instance drains. */
export const drainMaxHoldMs = 1000
/** A draining instance without an exchange for this time has no clients left on the bridge. */
export const drainIdleMs = 2 * drainMaxHoldMs
/** After the store was rewound, clients reconnect at random moments within this time. */
export const reconnectSpreadMs = 30_000
/** After notifications may have been missed, held polls reload at random moments within this time. */
export const reloadSpreadMs = 5000

/** Requests of one address in a minute that do not verify; above it the address must wait. */
export const unverifiedPerMinute = 600
