import ipaddr from 'ipaddr.js'

/** An IPv6 subscriber usually holds a whole network of this prefix length, so its addresses count as one. */
const ipv6PrefixBits = 64

/**
 * The key under which a limiter counts an address: an IPv4 address as it is, an IPv4-mapped IPv6 address as that IPv4
 * address, any other IPv6 address as its /64. Text that is no address is returned unchanged.
 */
export function limiterKeyOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (!(parsed instanceof ipaddr.IPv6)) return parsed.toString()
  const groups = parsed.parts.slice(0, ipv6PrefixBits / 16)
  return `${groups.map(group => group.toString(16)).join(':')}::/${ipv6PrefixBits}`
}
