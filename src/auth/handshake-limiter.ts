import type { Log } from '../session/dependencies.js'
import type { RateLimitStore } from '../store/store.js'

/** Failures against one client's id, from anywhere, after which each further one costs its address more. */
const failuresOfClientPerMinute = 100
/** What a failure against such a client costs. */
const costUnderAttack = 5

const ipv6Groups = 8
/** Who has an IPv6 address commonly has the 2^64 beside it. */
const ipv6NetworkGroups = 4

/** Whom an address stands for: itself, and in IPv6 its /64. An IPv4 address in IPv6's clothes is what it is. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? []
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array<string>(Math.max(ipv6Groups - first.length - last.length, 0)).fill('0')
  const groups = [...first, ...zeros, ...last].slice(0, ipv6NetworkGroups)
  return `${groups.map(group => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}

/** Slows down who fails handshakes. */
export interface HandshakeLimiter {
  /** A handshake failed by the peer's own doing. `clientId` is what it claimed, where it got that far. */
  failed(remoteAddress: string, clientId?: string): void
  /** 0, or how long the address has to wait before its next handshake, in milliseconds. */
  retryAfterMs(remoteAddress: string): Promise<number>
}

/**
 * A brake by the peer's address alone, counted by all instances together. What is known of a client id only makes
 * failures dearer for the address that fails: a stranger who fails in somebody's name locks out nobody but itself.
 * @param perMinute  failures that an address may have in a minute; 0: any number
 */
export function createHandshakeLimiter(limits: RateLimitStore, perMinute: number, log: Log): HandshakeLimiter {
  const ofAddress = (remoteAddress: string) => `failed:address:${networkOf(remoteAddress)}`

  async function count(remoteAddress: string, clientId: string | undefined): Promise<void> {
    const attacked =
      clientId !== undefined && (await limits.consume(`failed:client:${clientId}`, 1, failuresOfClientPerMinute)) > 0
    for (let i = 0; i < (attacked ? costUnderAttack : 1); i++)
      await limits.consume(ofAddress(remoteAddress), 1, perMinute)
  }

  return {
    failed(remoteAddress, clientId) {
      if (perMinute === 0) return
      count(remoteAddress, clientId).catch((error: unknown) => log.debug({ err: error }, 'a failure was not counted'))
    },
    async retryAfterMs(remoteAddress) {
      if (perMinute === 0) return 0
      // Without a store there are no handshakes either: the upgrade is refused a step later.
      return limits.consume(ofAddress(remoteAddress), 0, perMinute).catch(() => 0)
    }
  }
}
