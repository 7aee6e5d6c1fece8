import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { parseAddress } from '../auth/address.js'

/** Hops that are read, starting at the nearest proxy. A chain of trusted proxies is far shorter. */
export const maxForwardedHops = 32

/**
 * Rewrites `x-forwarded-for` so that every entry is a canonical address without port, before anything reads it. An
 * invalid address ends the chain: no trusted proxy reported the entries before it, so the request counts for the last
 * known proxy.
 */
export function normalizeForwardedFor({ headers }: IncomingMessage): void {
  const header = headers['x-forwarded-for']
  if (typeof header !== 'string' || isIP(header) === 4) return
  const hops: string[] = []
  for (const entry of header.split(',').slice(-maxForwardedHops).reverse()) {
    const address = parseAddress(entry)
    if (address === undefined) break
    hops.unshift(address)
  }
  // Deleting the header would slow down every later access to the headers.
  headers['x-forwarded-for'] = hops.length === 0 ? undefined : hops.join(', ')
}
