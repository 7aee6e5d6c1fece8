import type { DurableStore, RecordKey } from '../store/store.js'
import type { Audit } from './audit.js'
import { changeRecord, RegistryError, readRecord } from './changes.js'
import type { Hasher } from './keyring.js'
import { createSecret, isWholeSecret } from './secrets.js'

/** What the holder of a token may do. `admin` includes all others. */
export const scopes = ['admin', 'publish', 'tickets', 'read'] as const
export type Scope = (typeof scopes)[number]

/** An API token as operators see it; the token itself is kept as a keyed hash, in its id. */
export interface Token {
  readonly tokenId: string
  readonly name: string
  readonly scopes: readonly Scope[]
  /** Patterns of clientIds for which tickets may be had. */
  readonly clients: readonly string[]
  /** What a ticket may get at most. */
  readonly subscribe: readonly string[]
  readonly publish: readonly string[]
  readonly services: readonly string[]
  readonly createdAt: number
  readonly expiresAt?: number
}

export type NewToken = Pick<Token, 'name' | 'scopes'> &
  Partial<Pick<Token, 'clients' | 'subscribe' | 'publish' | 'services' | 'expiresAt'>>

export type Tokens = ReturnType<typeof createTokens>

/** API tokens. A token's id follows from it by a keyed hash: it is found with one look and stored nowhere. */
export function createTokens(records: DurableStore, hash: Hasher, audit: Audit, now: () => number) {
  const idOf = (token: string) => `tok_${hash(token).slice(0, 32)}`
  const keyOf = (tokenId: string): RecordKey => `token:${tokenId}`

  return {
    /** @returns the token, which is shown this once, and what is kept of it */
    async create(wanted: NewToken, actor: string): Promise<{ readonly token: string; readonly record: Token }> {
      const token = createSecret('at')
      const tokenId = idOf(token)
      const record: Token = {
        tokenId,
        name: wanted.name,
        scopes: wanted.scopes,
        clients: wanted.clients ?? ['*'],
        subscribe: wanted.subscribe ?? [],
        publish: wanted.publish ?? [],
        services: wanted.services ?? [],
        createdAt: now(),
        ...(wanted.expiresAt === undefined ? {} : { expiresAt: wanted.expiresAt })
      }
      const detail = { name: record.name, scopes: record.scopes }
      const entry = audit.entry(actor, 'token.create', keyOf(tokenId), detail)
      return changeRecord<Token, { token: string; record: Token }>(records, keyOf(tokenId), () => ({
        write: record,
        audit: entry,
        result: { token, record }
      }))
    },

    /** The token of a request, if it is one of ours and has not ended. */
    async find(token: string): Promise<Token | undefined> {
      if (!isWholeSecret(token)) return undefined
      const stored = await records.get(keyOf(idOf(token)))
      const record = stored === undefined ? undefined : readRecord<Token>(stored)
      return record?.expiresAt !== undefined && record.expiresAt <= now() ? undefined : record
    },

    /** In the order of their ids, after `after`. */
    async list(after: string, limit: number): Promise<readonly Token[]> {
      return (await records.list('token', after, limit)).map(readRecord<Token>)
    },

    /** @throws RegistryError NOT_FOUND */
    remove(tokenId: string, actor: string): Promise<void> {
      return changeRecord<Token, void>(records, keyOf(tokenId), token => {
        if (token === undefined) throw new RegistryError('NOT_FOUND', `there is no token ${tokenId}`)
        const entry = audit.entry(actor, 'token.delete', keyOf(tokenId), { name: token.name })
        return { write: 'remove', audit: entry, result: undefined }
      })
    }
  }
}
