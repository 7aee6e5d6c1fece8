import { type Capabilities, capabilitiesOf } from '../auth/capabilities.js'
import type { Attributes } from '../protocol/messages.js'
import type { DurableStore, TicketStore } from '../store/store.js'
import { CannotUnseal } from './aead.js'
import type { AuditLog } from './audit.js'
import { RegistryError } from './records.js'
import { createId, createSecret } from './secrets.js'
import type { TicketSealer } from './ticket-sealer.js'
import type { UnreadableReports } from './unreadable.js'

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
  readonly revokedAt?: number
}

/** Sealed as a whole before it is stored. */
interface TicketRecord extends Ticket {
  readonly secret: string
  /** The creator, as the audit log names callers. Earlier versions stored none. */
  readonly createdBy?: string
}

export interface TicketWithSecret extends Ticket {
  readonly secret: string
}

/** A ticket for a handshake. */
export interface OpenedTicket extends TicketWithSecret {
  readonly createdBy?: string
}

/** Why a ticket cannot be used. The store removes a ticket when it expires, so an expired one is unknown. */
export type TicketFault = 'unknown or expired ticket' | 'revoked'

export interface NewTicket extends Partial<Capabilities> {
  readonly clientId: string
  readonly ttlSeconds?: number
  readonly attributes?: Attributes
}

/** Whether a keyId names a ticket, not a client's key. */
export function isTicketId(keyId: string): boolean {
  return keyId.startsWith(`${ticketKind}_`)
}

/** Outcome of marking a ticket as revoked. `changed`: it was resealed meanwhile. `unreadable`: it cannot be opened. */
type Marked = 'marked' | 'changed' | 'unreadable'

/** Replaces a missing ticket, so that opening it takes as long as a real one. */
const decoyRecord: TicketRecord = {
  ...{ clientId: 'decoy', keyId: 'tkt_decoy', ...capabilitiesOf({}), attributes: {} },
  ...{ createdAt: 0, expiresAt: 0, secret: createSecret('tk') }
}

/** Outcome of {@link Tickets.reencrypt}. */
export interface ReencryptedTickets {
  readonly resealed: number
  /** Tickets that cannot be opened. They expire by themselves. */
  readonly unreadable: number
  readonly listed: number
  /** The `after` of the next page. Absent on the last one. */
  readonly next?: string
}

/** Tickets, sealed as a whole, kept until they expire. Creating one leaves no audit entry; revoking one does. */
export class Tickets {
  readonly #store: TicketStore
  readonly #durable: DurableStore
  readonly #sealer: TicketSealer<TicketRecord>
  readonly #audit: AuditLog
  readonly #now: () => number
  readonly #reports: UnreadableReports
  readonly #decoy: string

  /** @param reports  receives each ticket that cannot be opened */
  constructor(
    store: TicketStore,
    durable: DurableStore,
    sealer: TicketSealer<TicketRecord>,
    audit: AuditLog,
    now: () => number,
    reports: UnreadableReports
  ) {
    this.#store = store
    this.#durable = durable
    this.#sealer = sealer
    this.#audit = audit
    this.#now = now
    this.#reports = reports
    this.#decoy = sealer.sealLatest(decoyRecord)
  }

  /**
   * @param actor  the creator; each has an equal share of the live tickets when there are too many
   * @returns the ticket with its secret, which is returned only once
   * @throws StoreUnavailable also if too many tickets are live; ShareExceeded if the actor has more than its share of them
   */
  async create(wanted: NewTicket, actor: string): Promise<TicketWithSecret> {
    const { clientId, ttlSeconds = ticketSeconds.default, attributes = {} } = wanted
    const keyId = createId(ticketKind)
    const secret = createSecret('tk')
    const createdAt = this.#now()
    const lifeMs = ttlSeconds * 1000
    const times = { createdAt, expiresAt: createdAt + lifeMs }
    const ticket: Ticket = { clientId, keyId, ...capabilitiesOf(wanted), attributes, ...times }
    await this.#store.put(keyId, this.#sealer.seal({ ...ticket, secret, createdBy: actor }), lifeMs, actor)
    return { ...ticket, secret }
  }

  /** The ticket, even if revoked, unless it has expired. */
  async get(clientId: string, keyId: string): Promise<Ticket | undefined> {
    const record = await this.#read(clientId, keyId)
    if (record === undefined) return undefined
    const { secret: _, createdBy: __, ...ticket } = record
    return ticket
  }

  /** The ticket with its secret, or why it cannot be used. */
  async openOrExplain(clientId: string, keyId: string): Promise<OpenedTicket | TicketFault> {
    const record = await this.#read(clientId, keyId)
    if (record === undefined) return 'unknown or expired ticket'
    return record.revokedAt === undefined ? record : 'revoked'
  }

  /** The ticket with its secret, unless it has expired, was revoked, or cannot be opened. */
  open(clientId: string, keyId: string): Promise<OpenedTicket | undefined> {
    return this.#readValid(clientId, keyId)
  }

  /**
   * Revokes a ticket and notifies its live sessions. Revoking it again has no effect. An unreadable ticket is revoked
   * for the given client, since its own client is unknown.
   * @throws RegistryError NOT_FOUND
   */
  async revoke(clientId: string, keyId: string, actor: string): Promise<void> {
    // The marked ticket stays until it expires: if the commit below fails, the caller can revoke it again.
    let marked: Marked = 'changed'
    while (marked === 'changed') marked = await this.#mark(clientId, keyId)
    const detail = marked === 'unreadable' ? { clientId, wasUnreadable: true } : { clientId }
    const audit = this.#audit.entry(actor, 'ticket.revoke', `ticket:${keyId}`, detail)
    await this.#durable.commit({ writes: [], audit, event: { kind: 'ticket', id: clientId }, isProtective: true })
  }

  /** @throws RegistryError NOT_FOUND */
  async #mark(clientId: string, keyId: string): Promise<Marked> {
    const text = await this.#store.get(keyId)
    const opened = text === undefined ? undefined : this.#unseal(keyId, text)
    const isKnown = opened === undefined ? text !== undefined : this.#isOf(opened, clientId)
    if (text === undefined || !isKnown) {
      throw new RegistryError('NOT_FOUND', `the client ${clientId} has no key or ticket ${keyId}`)
    }
    const at = this.#now()
    // The store removes it when the unreadable one would have expired.
    const record = opened ?? {
      ...{ ...decoyRecord, clientId, keyId, secret: createSecret('tk') },
      ...{ createdAt: at, expiresAt: at + ticketSeconds.max * 1000 }
    }
    const revoked: TicketRecord = { ...record, revokedAt: record.revokedAt ?? at }
    if (!(await this.#store.replace(keyId, text, this.#sealer.seal(revoked)))) return 'changed'
    return opened === undefined ? 'unreadable' : 'marked'
  }

  /**
   * Reseals one page of tickets under the current master key, where another key sealed them.
   * @param after  '' or the `next` of the previous page
   */
  async reencrypt(after: string, limit: number): Promise<ReencryptedTickets> {
    const { items, next } = await this.#store.list(after, limit)
    let resealed = 0
    let unreadable = 0
    for (const { keyId, text } of items) {
      if (!this.#sealer.isStale(text)) continue
      const record = this.#unseal(keyId, text)
      if (record === undefined) unreadable++
      else if (await this.#store.replace(keyId, text, this.#sealer.seal(record))) resealed++
    }
    return { resealed, unreadable, listed: items.length, ...(next === undefined ? {} : { next }) }
  }

  #unseal(keyId: string, text: string): TicketRecord | undefined {
    try {
      return this.#sealer.unseal(keyId, text)
    } catch (error) {
      if (!(error instanceof CannotUnseal)) throw error
      this.#reports.report({ ticket: keyId })
      return undefined
    }
  }

  async #read(clientId: string, keyId: string): Promise<TicketRecord | undefined> {
    return this.#recordOf(await this.#store.get(keyId), clientId, keyId)
  }

  #recordOf(text: string | undefined, clientId: string, keyId: string): TicketRecord | undefined {
    const record = text === undefined ? this.#unseal(decoyRecord.keyId, this.#decoy) : this.#unseal(keyId, text)
    return record !== undefined && this.#isOf(record, clientId) ? record : undefined
  }

  /** Whether a ticket is this client's, and has not expired. */
  #isOf(record: TicketRecord, clientId: string): boolean {
    return record.clientId === clientId && record.expiresAt > this.#now()
  }

  async #readValid(clientId: string, keyId: string): Promise<TicketRecord | undefined> {
    const record = await this.#read(clientId, keyId)
    return record?.revokedAt === undefined ? record : undefined
  }
}
