import { isAllowed } from '../../auth/patterns.js'
import type { UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import type { License } from '../../registry/licenses.js'
import type { Handler, HandlerContext, Reply } from './handler.js'

/**
 * Licenses on which one session sits at most. A backend that validates for many others goes beyond it: then licenses
 * without `maxSessions` are judged all the same, and those with one are refused with RATE_LIMITED.
 */
export const maxLicenseSlotsPerSession = 10_000

/** Keeps a session counted on a license while its last validate of it was VALID (PROTOCOL §7, TOO_MANY_SESSIONS). */
async function takeSeat(context: HandlerContext, license: License): Promise<boolean> {
  const { dependencies, peer, expiresAt, licenseSlots, hasEnded } = context
  const { licenseId, maxSessions = Number.MAX_SAFE_INTEGER } = license
  if (!licenseSlots.has(licenseId) && licenseSlots.size >= maxLicenseSlotsPerSession) {
    if (license.maxSessions === undefined) return true
    throw new ProtocolError('RATE_LIMITED', `a session sits on at most ${maxLicenseSlotsPerSession} licenses`)
  }
  const { store, now } = dependencies
  const had = licenseSlots.has(licenseId)
  // Noted before it is taken: whoever ends the session meanwhile releases what is noted.
  licenseSlots.add(licenseId)
  const seated = await store.licenseSlots.acquire(licenseId, peer.sessionId, maxSessions, expiresAt, now())
  if (!seated && !had) licenseSlots.delete(licenseId)
  // The end may have released it before it was taken.
  if (hasEnded()) await store.licenseSlots.release(licenseId, peer.sessionId)
  return seated
}

/** PROTOCOL §7: is this license key good on this hardware id, now. */
export const validate: Handler<UpstreamMessages['validate']> = async (context, message): Promise<Reply> => {
  const { dependencies, peer, licenseSlots } = context
  const { serviceId, key, hwid } = message
  const { registry, observer, store } = dependencies
  // A service beyond the client's capability looks like one that has no such key.
  const { code, license } = isAllowed(peer.capabilities.services, serviceId)
    ? await registry.licenses.validate({
        ...{ serviceId, key, hwid, actor: `client:${peer.clientId}` },
        acquireSlot: found => takeSeat(context, found)
      })
    : { code: 'NOT_FOUND' as const, license: undefined }
  if (code !== 'VALID' && license !== undefined && licenseSlots.delete(license.licenseId)) {
    await store.licenseSlots.release(license.licenseId, peer.sessionId)
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
