/** Timeouts and the renewal of sessions. */

/** Without a verified frame for this time after a heartbeat the client reconnects (PROTOCOL §6.1). */
export const heartbeatAnswerMs = 10_000
/** The same after a heartbeat that a wake-up caused. */
export const probeAnswerMs = 5000
/** From opening a socket to a verified welcome (PROTOCOL §4.5). */
export const handshakeMs = 10_000
/** A session that lasted this time counts as stable. */
export const stableSessionMs = 10_000
/** Time for which an instance that announced its stop is expected back. */
export const restartMs = 60_000
/** Time for a closed client to send accepted messages. */
export const lastRequestsMs = 5000
/** Time for which a closed client waits for the answer to its `bye`. */
export const byeMs = 2000
/** Timeout for fetching a credential. */
export const defaultCredentialTimeoutMs = 15_000
/** Pause before an unavailable request is sent again if the gateway names none, and its bounds. */
const repeatAfterMs = { default: 1000, min: 100, max: 30_000 }
/** Timeout of a request. */
export const defaultRequestTimeoutMs = 10_000

/** PROTOCOL §4.5: a session is renewed this long before it expires; a short one when a quarter of its life is left. */
const renewBeforeMs = 60_000
const renewShare = 0.25
/** Lower bound of a lifetime, against a loop of handshakes after welcomes that expire at once. */
const minLifetimeMs = 1000

/** @returns the pause before a temporarily refused message is sent again, in milliseconds */
export function repeatMs(retryAfterMs: number = repeatAfterMs.default): number {
  return Math.min(Math.max(retryAfterMs, repeatAfterMs.min), repeatAfterMs.max)
}

/** When to open the next session, in milliseconds from this welcome. */
export function renewAfterMs({ expiresAt, serverTime }: { expiresAt: number; serverTime: number }): number {
  const lifetimeMs = Math.max(expiresAt - serverTime, minLifetimeMs)
  return lifetimeMs - Math.min(renewBeforeMs, lifetimeMs * renewShare)
}
