import type { Attributes } from '../protocol/messages.js'
import type { DurableStore, TicketStore } from '../store/store.js'
import type { Audit } from './audit.js'
import { RegistryError } from './changes.js'
import type { Capabilities } from './clients.js'
import type { Keyring } from './keyring.js'
import { createId, createSecret } from './secrets.js'

/** Life of a ticket, in seconds. */
export const ticketSeconds = { min: 30, default: 300, max: 86_400 } as const

const ticketPrefix = 'tkt_'

/** A short-lived credential (PROTOCOL §3). */
export interface Ticket extends Capabilities {
  readonly clientId: string
  readonly keyId: string
  readonly attributes: Attributes
  readonly createdAt: number
  readonly expiresAt: number
}

interface KeptTicket extends Ticket {
  readonly sealed: string
  readonly revokedAt?: number
}

export interface NewTicket extends Partial<Capabilities> {
  readonly clientId: string
  readonly ttlSeconds?: number
  readonly attributes?: Attributes
}

/** Whether a keyId names a ticket rather than a client's key. */
export function isTicketId(keyId: string): boolean {
  return keyId.startsWith(ticketPrefix)
}

export type Tickets = ReturnType<typeof createTickets>

/** Tickets: kept until they end, their secrets sealed. Making one is no change of a record, and leaves no audit entry. */
export function createTickets(
  store: TicketStore,
  records: DurableStore,
  keyring: Keyring,
  audit: Audit,
  now: () => number
) {
  const sealPlace = (clientId: string, keyId: string) => `ticket:${clientId}:${keyId}`

  async function readAny(clientId: string, keyId: string): Promise<KeptTicket | undefined> {
    const text = await store.get(keyId)
    const ticket: KeptTicket | undefined = text === undefined ? undefined : JSON.parse(text)
    return ticket?.clientId === clientId && ticket.expiresAt > now() ? ticket : undefined
  }

  async function read(clientId: string, keyId: string): Promise<KeptTicket | undefined> {
    const ticket = await readAny(clientId, keyId)
    return ticket?.revokedAt === undefined ? ticket : undefined
  }

  return {
    /** @returns the ticket with its secret, which is shown this once */
    async create(wanted: NewTicket): Promise<Ticket & { readonly secret: string }> {
      const { clientId, ttlSeconds = ticketSeconds.default, attributes = {} } = wanted
      const keyId = createId(ticketPrefix.slice(0, -1))
      const secret = createSecret('tk')
      const ticket: Ticket = {
        clientId,
        keyId,
        subscribe: wanted.subscribe ?? [],
        publish: wanted.publish ?? [],
        services: wanted.services ?? [],
        attributes,
        createdAt: now(),
        expiresAt: now() + ttlSeconds * 1000
      }
      const sealed = keyring.seal(secret, sealPlace(clientId, keyId))
      await store.put(keyId, JSON.stringify({ ...ticket, sealed }), ttlSeconds * 1000)
      return { ...ticket, secret }
    },

    /** The ticket, if it still lives. */
    async get(clientId: string, keyId: string): Promise<Ticket | undefined> {
      const ticket = await read(clientId, keyId)
      if (ticket === undefined) return undefined
      const { sealed: _, ...shown } = ticket
      return shown
    },

    /** The ticket with its secret, for a handshake. */
    async open(clientId: string, keyId: string): Promise<(Ticket & { readonly secret: string }) | undefined> {
      const ticket = await read(clientId, keyId)
      if (ticket === undefined) return undefined
      const { sealed, ...shown } = ticket
      return { ...shown, secret: keyring.unseal(sealed, sealPlace(clientId, keyId)) }
    },

    /**
     * Ends a ticket; its live sessions are revalidated through a `ticket` change event.
     * @throws RegistryError NOT_FOUND
     */
    async revoke(clientId: string, keyId: string, actor: string): Promise<void> {
      const ticket = await readAny(clientId, keyId)
      if (ticket === undefined) {
        throw new RegistryError('NOT_FOUND', `the client ${clientId} has no key or ticket ${keyId}`)
      }
      // It stays, marked, until its end: a revocation whose second half failed can be asked for again.
      const revoked: KeptTicket = { ...ticket, revokedAt: ticket.revokedAt ?? now() }
      await store.put(keyId, JSON.stringify(revoked), ticket.expiresAt - now())
      const entry = audit.entry(actor, 'ticket.revoke', `ticket:${keyId}`, { clientId })
      await records.commit({ writes: [], audit: entry, event: { kind: 'ticket', id: clientId } })
    }
  }
}
