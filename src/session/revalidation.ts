import { type Authorization, revalidate } from '../auth/authorization.js'
import type { Client } from '../registry/clients.js'
import type { Registry } from '../registry/index.js'
import { UnreadableRecord } from '../registry/records.js'
import { isTicketId } from '../registry/tickets.js'
import { RecordLost } from '../store/store.js'
import type { LiveSession } from './session-source.js'

export interface RevalidationDependencies {
  readonly registry: Pick<Registry, 'clients' | 'tickets'>
  /** Unix milliseconds. */
  readonly now: () => number
}

/** Permissions of a session's key or ticket now. `lost`: unknown, see {@link revalidate}. */
type Found = Authorization | 'lost' | undefined

/** A session's client, as far as the store knows it. */
type FoundClient =
  | { readonly kind: 'known'; readonly client: Client }
  /** Suspended, deleted, or its record cannot be opened: it may be suspended. */
  | { readonly kind: 'refused' }
  /** The client never existed, or the store has lost every trace of it. */
  | { readonly kind: 'unknown' }
  /** Its record is missing, and the audit log does not show a deletion. */
  | { readonly kind: 'lost' }

/** @throws StoreUnavailable */
async function findClient(
  { clients }: Pick<Registry, 'clients'>,
  clientId: string,
  clientChanged: boolean
): Promise<FoundClient> {
  try {
    const client = await clients.get(clientId)
    if (client !== undefined) return client.status === 'suspended' ? { kind: 'refused' } : { kind: 'known', client }
    if (await clients.wasDeleted(clientId)) return { kind: clientChanged ? 'refused' : 'unknown' }
    return { kind: clientChanged ? 'lost' : 'unknown' }
  } catch (error) {
    if (error instanceof UnreadableRecord) return { kind: 'refused' }
    if (error instanceof RecordLost) return { kind: 'lost' }
    throw error
  }
}

/** @throws StoreUnavailable */
async function authorizationOfKey(
  { clients }: Pick<Registry, 'clients'>,
  found: FoundClient,
  { clientId, keyId }: { readonly clientId: string; readonly keyId: string }
): Promise<Found> {
  if (found.kind !== 'known') return (await clients.wasDeleted(clientId)) ? undefined : 'lost'
  const key = found.client.keys.find(each => each.keyId === keyId)
  return key === undefined ? undefined : { ...found.client, ...key }
}

/** @throws StoreUnavailable */
async function authorizationOf(
  registry: Pick<Registry, 'clients' | 'tickets'>,
  found: FoundClient,
  peer: LiveSession['peer']
): Promise<Found> {
  if (found.kind === 'refused') return undefined
  if (found.kind === 'lost') return 'lost'
  if (!isTicketId(peer.keyId)) return authorizationOfKey(registry, found, peer)
  // A revoked ticket stays until it ends, so a missing one was lost.
  return (await registry.tickets.get(peer.clientId, peer.keyId)) ?? 'lost'
}

async function applyDecision(session: LiveSession, current: Found, now: number): Promise<void> {
  const decision = revalidate(current, { capabilities: session.peer.capabilities, expiresAt: session.expiresAt }, now)
  if (decision.action === 'end') {
    session.end(decision.code)
    return
  }
  session.expireAt(decision.expiresAt)
  if (decision.action === 'narrow') await session.narrowCapabilities(decision.capabilities)
}

/**
 * Compares sessions of one client with the registry, and ends or narrows those whose permissions changed.
 * @param clientChanged  whether the client's own record changed: if the audit log shows its deletion, sessions of its
 *   tickets end too, although a ticket needs no client record
 * @throws StoreUnavailable
 */
export async function revalidateSessions(
  { registry, now }: RevalidationDependencies,
  clientId: string,
  sessions: Iterable<LiveSession>,
  clientChanged: boolean
): Promise<void> {
  const found = await findClient(registry, clientId, clientChanged)
  for (const session of sessions) {
    await applyDecision(session, await authorizationOf(registry, found, session.peer), now())
  }
}

/**
 * Revalidates one session that was just opened or loaded, because the revocation watcher read earlier changes without
 * it; or one whose credential was not found.
 * @throws StoreUnavailable
 */
export function revalidateSession(dependencies: RevalidationDependencies, session: LiveSession): Promise<void> {
  return revalidateSessions(dependencies, session.peer.clientId, [session], false)
}
