import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** Tokens that are remembered. At the bound the least recently verified is forgotten. */
export const maxVerifiedTokens = 10_000

/** The token of an `authorization: Bearer` header; undefined without one. */
export function bearerOf({ authorization }: IncomingHttpHeaders): string | undefined {
  return /^Bearer +([!-~](?:[ -~]*[!-~])?)$/i.exec(authorization ?? '')?.[1]
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}

/**
 * Tokens that were verified, as hashes. Their requests have a separate rate, which others behind the same address
 * cannot use up.
 */
export class VerifiedTokens {
  readonly #digests = new Set<string>()
  readonly #maxTokens: number

  constructor(maxTokens: number = maxVerifiedTokens) {
    this.#maxTokens = maxTokens
  }

  remember(token: string): void {
    const digest = digestOf(token)
    this.#digests.delete(digest)
    this.#digests.add(digest)
    if (this.#digests.size <= this.#maxTokens) return
    const [oldest = ''] = this.#digests
    this.#digests.delete(oldest)
  }

  /** The key that counts for a request with a verified token; undefined: it has none. */
  limiterKeyOf(headers: IncomingHttpHeaders): string | undefined {
    const token = bearerOf(headers)
    if (token === undefined) return undefined
    const digest = digestOf(token)
    return this.#digests.has(digest) ? `token:${digest}` : undefined
  }
}
