import { type Capabilities, capabilitiesOf } from '../auth/capabilities.js'
import type { AuditLog } from './audit.js'
import type { Hasher } from './keyring.js'
import { type RecordAccess, type RecordPage, RecordTable, RegistryError, UnreadableRecord } from './records.js'
import { createSecret, isWellFormedSecret } from './secrets.js'

/** Permissions of a token. `admin` includes all others. */
export const scopes = ['admin', 'publish', 'tickets', 'calls', 'read'] as const
export type Scope = (typeof scopes)[number]

/**
 * An API token as stored and as shown to operators. The token itself is not stored: its id is a keyed hash of it. The
 * capabilities limit those of the tickets that its holder creates, and the channels and methods that its holder uses.
 */
export interface Token extends Capabilities {
  readonly tokenId: string
  readonly name: string
  readonly scopes: readonly Scope[]
  /** Patterns of the clientIds for which its holder may create tickets. Empty: none. */
  readonly clients: readonly string[]
  /** Unix milliseconds. */
  readonly createdAt: number
  readonly expiresAt?: number
}

export type NewToken = Pick<Token, 'name' | 'scopes'> &
  Partial<Pick<Token, 'clients' | 'expiresAt' | keyof Capabilities>>

/** Earlier versions stored fewer lists. */
function complete(token: Token): Token {
  return { ...token, ...capabilitiesOf(token) }
}

/** API tokens. */
export class Tokens {
  readonly #table: RecordTable<Token>
  readonly #hash: Hasher
  readonly #audit: AuditLog
  readonly #now: () => number

  constructor(records: RecordAccess, hash: Hasher, audit: AuditLog, now: () => number) {
    this.#table = new RecordTable(records, 'token')
    this.#hash = hash
    this.#audit = audit
    this.#now = now
  }

  /**
   * @returns the token, which is returned only once, and its record
   * @throws RegistryError BAD_REQUEST when the scope `tickets` comes without `clients`
   */
  async create(wanted: NewToken, actor: string): Promise<{ readonly token: string; readonly record: Token }> {
    const { name, scopes: granted, clients = [], expiresAt } = wanted
    if (granted.includes('tickets') && clients.length === 0) {
      throw new RegistryError(
        'BAD_REQUEST',
        'clients: required for the scope tickets: patterns of the clientIds that its tickets may have; ["*"] allows any'
      )
    }
    const token = createSecret('at')
    const tokenId = this.#idOf(token)
    const record: Token = {
      ...{ tokenId, name, scopes: granted, clients, ...capabilitiesOf(wanted), createdAt: this.#now() },
      ...(expiresAt === undefined ? {} : { expiresAt })
    }
    const audit = this.#audit.entry(actor, 'token.create', this.#table.key(tokenId), { name, scopes: granted })
    return this.#table.change(tokenId, () => ({ write: record, audit, result: { token, record } }))
  }

  /** The record of a token, unless the token is unknown or has expired, or its record cannot be opened. */
  async find(token: string): Promise<Token | undefined> {
    if (!isWellFormedSecret(token)) return undefined
    const record = await this.#table.get(this.#idOf(token)).catch((error: unknown) => {
      if (error instanceof UnreadableRecord) return undefined
      throw error
    })
    if (record === undefined || (record.expiresAt !== undefined && record.expiresAt <= this.#now())) return undefined
    return complete(record)
  }

  /** See {@link RecordTable.list}. */
  async list(after: string, limit: number): Promise<RecordPage<Token>> {
    const { items, ...rest } = await this.#table.list(after, limit)
    return { ...rest, items: items.map(complete) }
  }

  /** @throws RegistryError NOT_FOUND */
  remove(tokenId: string, actor: string): Promise<void> {
    const entry = (detail: object) => this.#audit.entry(actor, 'token.delete', this.#table.key(tokenId), { ...detail })
    const remove = () =>
      this.#table.change<void>(tokenId, token => {
        if (token === undefined) throw new RegistryError('NOT_FOUND', `there is no token ${tokenId}`)
        return { write: 'remove', audit: entry({ name: token.name }), result: undefined, isProtective: true }
      })
    return this.#table.removeEvenUnreadable(tokenId, remove, { audit: entry({ wasUnreadable: true }) })
  }

  /** A keyed hash of the token (128 bits of it): its record is found in one read. */
  #idOf(token: string): string {
    return `tok_${this.#hash(token).slice(0, 32)}`
  }
}
