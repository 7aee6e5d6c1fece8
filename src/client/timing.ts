/** Timeouts and the renewal of sessions. */

/** Without a verified frame for this time after a heartbeat the client reconnects (PROTOCOL §6.1). */
export const heartbeatAnswerMs = 10_000
/** From opening a socket to a verified welcome (PROTOCOL §4.5). */
export const handshakeMs = 10_000

/** A session is renewed this long before it expires; a short one when a quarter of its lifetime is left. */
const renewBeforeMs = 30_000
const renewShare = 0.25
/** Lower bound of a lifetime, against a loop of handshakes after a welcome that expires at once. */
const minLifetimeMs = 1000

/** The time to open the next session, in milliseconds from this welcome. */
export function renewAfterMs({ expiresAt, serverTime }: { expiresAt: number; serverTime: number }): number {
  const lifetimeMs = Math.max(expiresAt - serverTime, minLifetimeMs)
  return lifetimeMs - Math.min(renewBeforeMs, lifetimeMs * renewShare)
}
