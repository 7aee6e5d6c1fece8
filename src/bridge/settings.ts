/** Settings of the bridge, and its bounds that are no settings. */
export interface BridgeSettings {
  /** Silence after which a session is dead, told in the welcome (PROTOCOL §6.1). */
  readonly heartbeatTimeoutSeconds: number
  /** How long a held poll waits after the first frame, so that more can ride along (PROTOCOL §9.4 g). */
  readonly lingerMs: number
  /** How long an exchange waits for answers to its own messages (PROTOCOL §9.4 d). */
  readonly answerWithinMs: number
}

/** The law's own 5 s (PROTOCOL §9.4 d). */
export const defaultAnswerWithinMs = 5000
/** How often an exchange that waits for another instance's answers looks for itself, its word may be lost. */
export const lookEveryMs = 1000
/** Exchanges of one session in flight on one instance (PROTOCOL §9.5). */
export const maxInFlight = 4
/** Keys of an ended session are kept so long, to sign its 410 (PROTOCOL §5.2). */
export const endedKeptMs = 120_000
/** An instance says so often that it lives … */
export const beatEveryMs = 1000
/** … and is taken for dead when it has not for so long: its claims go to whoever finds them. */
export const beatLifeMs = 5000
/** A claim that its living instance has not answered for so long is taken over all the same. */
export const claimPatienceMs = 10_000
/** A message that has waited so long before it runs is looked up again: another instance may have taken it. */
export const freshClaimMs = 3000
/** Commits that may come before one of ours in a row. */
export const maxCommitTries = 32
/** A poll that arrives while this instance stops is held no longer than this. */
export const drainHoldMs = 1000
/** A stopping instance to which nobody has come for so long has no peers left on the bridge. */
export const drainQuietMs = 2 * drainHoldMs
/** After a rewind of the store clients are asked to come back within this time, each at its own moment. */
export const herdSpreadMs = 30_000
/** After a break of the words' subscription held polls look for themselves within this time. */
export const recheckSpreadMs = 5000
