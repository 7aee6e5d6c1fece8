import type { EndingCode } from '../protocol/codes.js'
import { type Capabilities, capabilitiesOf, capabilityNames, sameCapabilities } from './capabilities.js'
import { coversChannels } from './patterns.js'

/** Permissions of a session's key or ticket at this moment. */
export interface Authorization extends Capabilities {
  /** Unix milliseconds. */
  readonly expiresAt?: number
  /** Unix milliseconds. */
  readonly revokedAt?: number
}

/** Decision about a live session after its client's record may have changed. */
export type AuthorizationDecision =
  | { readonly action: 'keep'; readonly expiresAt: number }
  | { readonly action: 'narrow'; readonly capabilities: Capabilities; readonly expiresAt: number }
  | { readonly action: 'end'; readonly code: EndingCode }

const otherNames = capabilityNames.filter(name => name !== 'subscribe')

/** Whether only `subscribe` changed, and every new pattern lies within an old one. */
function isNarrowerSubscribe(before: Capabilities, after: Capabilities): boolean {
  return (
    sameCapabilities(before, after, otherNames) &&
    after.subscribe.every(pattern => coversChannels(before.subscribe, pattern))
  )
}

/**
 * Compares a live session with what its credential allows now. Narrower `subscribe` patterns leave the session up; any
 * other change of capabilities ends it, so that the client comes back and learns its new ones in the handshake.
 * @param current  undefined when the client was suspended or deleted, or its key no longer exists; `lost` when the store
 *   has no record of it and the audit log no revocation: the session ends, and its client may come back
 * @param session  the capabilities that the session runs under, and its end in Unix milliseconds
 * @param now      Unix milliseconds
 */
export function revalidate(
  current: Authorization | 'lost' | undefined,
  session: { readonly capabilities: Capabilities; readonly expiresAt: number },
  now: number
): AuthorizationDecision {
  if (current === 'lost') return { action: 'end', code: now >= session.expiresAt ? 'SESSION_EXPIRED' : 'UNAVAILABLE' }
  if (current === undefined || current.revokedAt !== undefined) return { action: 'end', code: 'SESSION_REVOKED' }
  const expiresAt = Math.min(session.expiresAt, current.expiresAt ?? session.expiresAt)
  if (now >= expiresAt) return { action: 'end', code: 'SESSION_EXPIRED' }
  if (!isNarrowerSubscribe(session.capabilities, current)) return { action: 'end', code: 'SESSION_EXPIRED' }
  if (sameCapabilities(session.capabilities, current)) return { action: 'keep', expiresAt }
  return { action: 'narrow', capabilities: capabilitiesOf(current), expiresAt }
}
