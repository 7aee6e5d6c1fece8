import { type Authorization, revalidate } from '../auth/authorization.js'
import type { Client } from '../registry/clients.js'
import type { Registry } from '../registry/index.js'
import { UnreadableRecord } from '../registry/records.js'
import { isTicketId } from '../registry/tickets.js'
import type { LiveSession } from './session-source.js'

interface RevalidationDependencies {
  readonly registry: Pick<Registry, 'clients' | 'tickets'>
  /** Unix milliseconds. */
  readonly now: () => number
}

function authorizationOfKey(client: Client | undefined, keyId: string): Authorization | undefined {
  const key = client?.keys.find(each => each.keyId === keyId)
  return client === undefined || key === undefined ? undefined : { ...client, ...key }
}

/** @throws StoreUnavailable */
async function readClient(
  { clients }: Pick<Registry, 'clients'>,
  clientId: string
): Promise<Client | 'unreadable' | undefined> {
  try {
    return await clients.get(clientId)
  } catch (error) {
    if (error instanceof UnreadableRecord) return 'unreadable'
    throw error
  }
}

async function applyDecision(session: LiveSession, current: Authorization | undefined, now: number): Promise<void> {
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
 * @param clientChanged  whether the client's own record changed: its absence then means that it was deleted, which ends
 *   its tickets' sessions too. A ticket by itself needs no client record.
 * @throws StoreUnavailable
 */
export async function revalidateSessions(
  { registry, now }: RevalidationDependencies,
  clientId: string,
  sessions: Iterable<LiveSession>,
  clientChanged: boolean
): Promise<void> {
  const found = await readClient(registry, clientId)
  const client = found === 'unreadable' ? undefined : found
  // A client whose record does not open may be suspended.
  const isRefused = found === 'unreadable' || client?.status === 'suspended' || (client === undefined && clientChanged)
  for (const session of sessions) {
    const { keyId } = session.peer
    const current = isTicketId(keyId) ? await registry.tickets.get(clientId, keyId) : authorizationOfKey(client, keyId)
    await applyDecision(session, isRefused ? undefined : current, now())
  }
}

/**
 * Revalidates one session that was just opened or loaded: the revocation watcher did not know it when it read earlier
 * changes.
 * @throws StoreUnavailable
 */
export function revalidateSession(dependencies: RevalidationDependencies, session: LiveSession): Promise<void> {
  return revalidateSessions(dependencies, session.peer.clientId, [session], false)
}
