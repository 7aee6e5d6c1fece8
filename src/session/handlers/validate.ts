import { ProtocolFault } from '../../protocol/fault.js'
import type { UpstreamMessages } from '../../protocol/messages.js'
import type { License } from '../../registry/licenses.js'
import { isAllowed } from '../../registry/patterns.js'
import type { Handler, HandlerContext, Reply } from './handler.js'

/**
 * Licenses on which one session sits at most. A backend that validates for many others goes beyond it: then licenses
 * without `maxSessions` are judged all the same, and those with one are refused with RATE_LIMITED.
 */
export const maxSeatsPerSession = 10_000

/** Keeps a session counted on a license while its last validate of it was VALID (PROTOCOL §7, TOO_MANY_SESSIONS). */
async function takeSeat(context: HandlerContext, license: License): Promise<boolean> {
  const { environment, peer, expiresAt, seats, isOver } = context
  const { licenseId, maxSessions = Number.MAX_SAFE_INTEGER } = license
  if (!seats.has(licenseId) && seats.size >= maxSeatsPerSession) {
    if (license.maxSessions === undefined) return true
    throw new ProtocolFault('RATE_LIMITED', `a session sits on at most ${maxSeatsPerSession} licenses`)
  }
  const { store, now } = environment
  const had = seats.has(licenseId)
  // Noted before it is taken: whoever ends the session meanwhile releases what is noted.
  seats.add(licenseId)
  const seated = await store.seats.take(licenseId, peer.sessionId, maxSessions, expiresAt, now())
  if (!seated && !had) seats.delete(licenseId)
  // The end may have released it before it was taken.
  if (isOver()) await store.seats.release(licenseId, peer.sessionId)
  return seated
}

/** PROTOCOL §7: is this license key good on this hardware id, now. */
export const validate: Handler<UpstreamMessages['validate']> = async (context, message): Promise<Reply> => {
  const { environment, peer, seats } = context
  const { serviceId, key, hwid } = message
  const { registry, observer, store } = environment
  // A service beyond the client's capability looks like one that has no such key.
  const { code, license } = isAllowed(peer.capabilities.services, serviceId)
    ? await registry.licenses.validate(
        serviceId,
        key,
        hwid,
        found => takeSeat(context, found),
        `client:${peer.clientId}`
      )
    : { code: 'NOT_FOUND' as const, license: undefined }
  if (code !== 'VALID' && license !== undefined && seats.delete(license.licenseId)) {
    await store.seats.release(license.licenseId, peer.sessionId)
  }
  observer.validated(code)
  return {
    type: 'validation',
    valid: code === 'VALID',
    code,
    serviceId,
    ...(license === undefined
      ? {}
      : {
          licenseId: license.licenseId,
          ...(license.expiresAt === undefined ? {} : { expiresAt: license.expiresAt }),
          maxHwids: license.maxHwids,
          boundHwids: license.hwids.length
        })
  }
}
