import type { EndingCode } from '../protocol/codes.js'
import type { Capabilities } from '../registry/capabilities.js'
import type { Client } from '../registry/clients.js'
import type { LiveSession } from '../session/session-source.js'

/** What a session's key, or its ticket, allows now. */
type Standing = Capabilities & { readonly expiresAt?: number; readonly revokedAt?: number }

export function keyOf(client: Client | undefined, keyId: string): Standing | undefined {
  const key = client?.keys.find(each => each.keyId === keyId)
  return client === undefined || key === undefined ? undefined : { ...client, ...key }
}

function rightsOf({ subscribe, publish, services }: Capabilities): string {
  return JSON.stringify([subscribe, publish, services])
}

/** Whether a session may go on; also brings its end forward where its key ends sooner than it did. */
export function revalidate(key: Standing | undefined, session: LiveSession, now: number): EndingCode | undefined {
  if (key === undefined || key.revokedAt !== undefined) return 'SESSION_REVOKED'
  if (key.expiresAt !== undefined) session.expiresAt = Math.min(session.expiresAt, key.expiresAt)
  if (now >= session.expiresAt) return 'SESSION_EXPIRED'
  return rightsOf(session.peer.capabilities) === rightsOf(key) ? undefined : 'SESSION_EXPIRED'
}
