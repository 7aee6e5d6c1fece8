/** How long a client waits for what. */

/** PROTOCOL §6: without a verified frame for so long after a heartbeat the connection counts as dead. */
export const heartbeatAnswerMs = 10_000
/** From opening a socket to a verified welcome. */
export const handshakeMs = 10_000

/** A session is exchanged for a new one so long before its end; a short one when a quarter of it is left. */
const renewBeforeMs = 30_000
const renewShare = 0.25
/** A welcome that promises less is not answered by a storm of handshakes. */
const minLifeMs = 1000

/** When to open the session after this one, in milliseconds from its welcome. */
export function renewAfterMs({ expiresAt, serverTime }: { expiresAt: number; serverTime: number }): number {
  const lifeMs = Math.max(expiresAt - serverTime, minLifeMs)
  return lifeMs - Math.min(renewBeforeMs, lifeMs * renewShare)
}
