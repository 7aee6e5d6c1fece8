import { matches } from '../../auth/patterns.js'
import type { UpstreamMessages } from '../../protocol/messages.js'
import type { License } from '../../registry/licenses.js'
import type { Handler, Reply } from './handler.js'

/** The members of a `validation` that describe the license. */
function licenseMembers({ licenseId, expiresAt, maxHwids, hwids }: License) {
  return { licenseId, ...(expiresAt === undefined ? {} : { expiresAt }), maxHwids, boundHwids: hwids.length }
}

/** PROTOCOL §7: whether a license key is valid on a hardware id now. A valid license keeps a session slot. */
export const validate: Handler<UpstreamMessages['validate']> = async (context, message): Promise<Reply> => {
  const { dependencies, peer, licenseSlots } = context
  const { serviceId, key, hwid } = message
  const { registry, observer } = dependencies
  // A service outside the client's capability looks like one without such a key.
  const { code, license } = matches(peer.capabilities.services, serviceId)
    ? await registry.licenses.validate({
        ...{ serviceId, key, hwid, actor: `client:${peer.clientId}` },
        acquireSlot: found => licenseSlots.acquire(found)
      })
    : { code: 'NOT_FOUND' as const, license: undefined }
  if (code !== 'VALID' && license !== undefined) await licenseSlots.release(license.licenseId)
  observer.validated(code)
  return {
    type: 'validation',
    valid: code === 'VALID',
    code,
    serviceId,
    ...(license === undefined ? {} : licenseMembers(license))
  }
}
