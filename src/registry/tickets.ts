import type { Capabilities } from '../auth/capabilities.js'
import type { Attributes } from '../protocol/messages.js'
import type { DurableStore, TicketStore } from '../store/store.js'
import type { AuditLog } from './audit.js'
import type { Keyring } from './keyring.js'
import { RegistryError } from './records.js'
import { createId, createSecret } from './secrets.js'

/** Life of a ticket, in seconds. */
export const ticketSeconds = { min: 30, default: 300, max: 86_400 } as const

const ticketKind = 'tkt'

/** A short-lived credential (PROTOCOL §3). Times are unix milliseconds. */
export interface Ticket extends Capabilities {
  readonly clientId: string
  readonly keyId: string
  readonly attributes: Attributes
  readonly createdAt: number
  readonly expiresAt: number
}

interface TicketRecord extends Ticket {
  readonly sealed: string
  readonly revokedAt?: number
}

export interface TicketWithSecret extends Ticket {
  readonly secret: string
}

export interface NewTicket extends Partial<Capabilities> {
  readonly clientId: string
  readonly ttlSeconds?: number
  readonly attributes?: Attributes
}

/** Whether a keyId names a ticket, not a client's key. */
export function isTicketId(keyId: string): boolean {
  return keyId.startsWith(`${ticketKind}_`)
}

function contextOf(clientId: string, keyId: string): string {
  return `ticket:${clientId}:${keyId}`
}

/** Tickets with their sealed secrets, kept until they expire. Creating one leaves no audit entry; revoking one does. */
export class Tickets {
  readonly #store: TicketStore
  readonly #durable: DurableStore
  readonly #keyring: Keyring
  readonly #audit: AuditLog
  readonly #now: () => number

  constructor(store: TicketStore, durable: DurableStore, keyring: Keyring, audit: AuditLog, now: () => number) {
    this.#store = store
    this.#durable = durable
    this.#keyring = keyring
    this.#audit = audit
    this.#now = now
  }

  /**
   * @returns the ticket with its secret, which is returned only once
   * @throws StoreUnavailable also if too many tickets are live
   */
  async create(wanted: NewTicket): Promise<TicketWithSecret> {
    const { clientId, ttlSeconds = ticketSeconds.default } = wanted
    const { subscribe = [], publish = [], services = [], attributes = {} } = wanted
    const keyId = createId(ticketKind)
    const secret = createSecret('tk')
    const createdAt = this.#now()
    const lifeMs = ttlSeconds * 1000
    const times = { createdAt, expiresAt: createdAt + lifeMs }
    const ticket: Ticket = { clientId, keyId, subscribe, publish, services, attributes, ...times }
    const sealed = this.#keyring.seal(secret, contextOf(clientId, keyId))
    await this.#store.put(keyId, JSON.stringify({ ...ticket, sealed } satisfies TicketRecord), lifeMs)
    return { ...ticket, secret }
  }

  /** The ticket, unless it has expired or was revoked. */
  async get(clientId: string, keyId: string): Promise<Ticket | undefined> {
    const record = await this.#readValid(clientId, keyId)
    if (record === undefined) return undefined
    const { sealed: _, ...ticket } = record
    return ticket
  }

  /** The ticket with its secret, unless it has expired or was revoked. @throws CannotUnseal */
  async open(clientId: string, keyId: string): Promise<TicketWithSecret | undefined> {
    const record = await this.#readValid(clientId, keyId)
    if (record === undefined) return undefined
    const { sealed, ...ticket } = record
    return { ...ticket, secret: this.#keyring.unseal(sealed, contextOf(clientId, keyId)) }
  }

  /**
   * Revokes a ticket and notifies its live sessions. Revoking it again changes nothing.
   * @throws RegistryError NOT_FOUND
   */
  async revoke(clientId: string, keyId: string, actor: string): Promise<void> {
    const record = await this.#read(clientId, keyId)
    if (record === undefined) {
      throw new RegistryError('NOT_FOUND', `the client ${clientId} has no key or ticket ${keyId}`)
    }
    // The ticket stays, marked, until it expires: if the commit below fails, the caller can revoke it again.
    const at = this.#now()
    const revoked: TicketRecord = { ...record, revokedAt: record.revokedAt ?? at }
    await this.#store.put(keyId, JSON.stringify(revoked), record.expiresAt - at)
    const audit = this.#audit.entry(actor, 'ticket.revoke', `ticket:${keyId}`, { clientId })
    await this.#durable.commit({ writes: [], audit, event: { kind: 'ticket', id: clientId } })
  }

  async #read(clientId: string, keyId: string): Promise<TicketRecord | undefined> {
    const text = await this.#store.get(keyId)
    const record: TicketRecord | undefined = text === undefined ? undefined : JSON.parse(text)
    return record?.clientId === clientId && record.expiresAt > this.#now() ? record : undefined
  }

  async #readValid(clientId: string, keyId: string): Promise<TicketRecord | undefined> {
    const record = await this.#read(clientId, keyId)
    return record?.revokedAt === undefined ? record : undefined
  }
}
