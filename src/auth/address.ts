import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Parses peer addresses for every limit by address, so that all limits count under the same keys. */

/** An IPv6 subscriber usually holds a whole network of this prefix length, so its addresses count as one. */
const ipv6PrefixBits = 64
/** The key of all text that is not an address, so that garbage never gets a count of its own. */
export const unparseableKey = 'unparseable'

/** Optional quotes, then `[v6]`, `[v6]:port` or `v4:port`. */
const withPort = /^"?(?:\[([^\]]+)\](?::\d{1,5})?|([^:"[\]]+)(?::\d{1,5})?)"?$/

/**
 * Parses an address as proxies write it: `203.0.113.7`, `203.0.113.7:4711`, `2001:db8::1`, `[2001:db8::1]:4711`, with
 * white space or quotes around it, or with a zone.
 * @returns its canonical text without port and zone, an IPv4-mapped address as IPv4; undefined for anything else
 */
export function parseAddress(text: string): string | undefined {
  const bare = text.trim()
  if (isIP(bare) !== 0) return canonical(bare)
  const [, v6, v4] = withPort.exec(bare) ?? []
  const address = (v6 ?? v4)?.trim() ?? bare.replaceAll('"', '')
  return isIP(address) === 0 ? undefined : canonical(address)
}

/** @param address  for which `isIP` is not 0 */
function canonical(address: string): string {
  const zone = address.indexOf('%')
  return ipaddr.process(zone < 0 ? address : address.slice(0, zone)).toString()
}

/**
 * The key under which a limiter counts an address: an IPv4 address as it is, an IPv4-mapped IPv6 address as that IPv4
 * address, any other IPv6 address as its /64, and any other text as {@link unparseableKey}.
 * @param address  undefined for a socket that is already closed
 */
export function limiterKeyOf(address: string | undefined): string {
  const parsed = address === undefined ? undefined : parseAddress(address)
  if (parsed === undefined) return unparseableKey
  if (isIP(parsed) === 4) return parsed
  const groups = ipaddr.IPv6.parse(parsed).parts.slice(0, ipv6PrefixBits / 16)
  return `${groups.map(group => group.toString(16)).join(':')}::/${ipv6PrefixBits}`
}
