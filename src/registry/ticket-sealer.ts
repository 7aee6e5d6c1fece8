import type { Keyring } from './keyring.js'
import { isPlainRecord } from './pepper.js'
import { type SchemaInUse, writesPlain } from './schema-in-use.js'

/** A ticket's members for sealing. */
interface SealedTicket {
  readonly clientId: string
  readonly keyId: string
  readonly secret: string
}

/** Seals tickets as a whole, each bound to its keyId. */
export interface TicketSealer<T extends SealedTicket> {
  seal(ticket: T): string
  /** In the current form, regardless of the schema in use. */
  sealLatest(ticket: T): string
  /** @throws CannotUnseal */
  unseal(keyId: string, text: string): T
  /** See {@link Keyring.isStale}. */
  isStale(text: string): boolean
}

/** The sealed text contains the client id: tickets are resealed by their keyIds alone. */
function contextOf(keyId: string): string {
  return `ticket:${keyId}`
}

/** The context of a secret in the form of versions before sealed records, which sealed the secret alone. */
function plainContextOf({ clientId, keyId }: Pick<SealedTicket, 'clientId' | 'keyId'>): string {
  return `ticket:${clientId}:${keyId}`
}

export function createTicketSealer<T extends SealedTicket>(keyring: Keyring, schema: SchemaInUse): TicketSealer<T> {
  const sealLatest = (ticket: T) => keyring.sealLatest('ticket', JSON.stringify(ticket), contextOf(ticket.keyId))
  return {
    sealLatest,
    seal(ticket) {
      if (!writesPlain(schema)) return sealLatest(ticket)
      const { secret, ...rest } = ticket
      return JSON.stringify({ ...rest, sealed: keyring.seal('ticket', secret, plainContextOf(ticket)) })
    },
    unseal(keyId, text) {
      if (!writesPlain(schema) || !isPlainRecord({ text })) {
        return JSON.parse(keyring.unseal('ticket', text, contextOf(keyId))) as T
      }
      const { sealed, ...rest }: Omit<T, 'secret'> & { readonly sealed: string } = JSON.parse(text)
      const secret = keyring.unseal('ticket', sealed, plainContextOf(rest as unknown as T))
      return { ...rest, secret } as unknown as T
    },
    isStale: text => !(writesPlain(schema) && isPlainRecord({ text })) && keyring.isStale(text)
  }
}
