import { BlockList, isIP } from 'node:net'
import { limiterKeyOf, parseAddress } from '../auth/address.js'
import { type BodyBudget, createBodyBudget } from './body-budget.js'
import { createBodyReader, type ReadBody } from './body-reader.js'
import { Descriptors } from './descriptors.js'
import {
  createUnverifiedSockets,
  maxUnverifiedPerAddress,
  maxUnverifiedSockets,
  type UnverifiedSockets
} from './unverified-sockets.js'
import { VerifiedTokens } from './verified-tokens.js'

/** Bounds the cost of unauthenticated peers, before any route is reached. */
export interface HttpEdge {
  readonly sockets: UnverifiedSockets
  readonly budget: BodyBudget
  readonly readBody: ReadBody
  readonly onPipelined: () => void
  /** Counts a socket that was cut without an answer. */
  readonly onCut: () => void
  /** The key that counts for a peer address; undefined: not counted by address, as for a trusted proxy. */
  readonly keyOf: (remoteAddress: string) => string | undefined
  readonly verifiedTokens: VerifiedTokens
  readonly descriptors: Descriptors
  /** Counts a request that was refused because no file descriptors are left for its connection. */
  readonly onDescriptors: () => void
  /** Its bounds, with use and limit. */
  bounds(): readonly { readonly name: string; readonly used: number; readonly limit: number }[]
  /** Sockets that were refused or destroyed since the start, by reason. */
  readonly refusedSockets: Readonly<Record<SocketRefusal, number>>
}

/**
 * `address` and `total`: at a bound on unverified sockets. `pipelined`: too many requests in flight. `descriptors`:
 * none left. `unparsed`: its address is above its rate and sends data that is not a request.
 */
export type SocketRefusal = 'address' | 'total' | 'pipelined' | 'descriptors' | 'unparsed'

export interface HttpEdgeOptions {
  /** Whether limits by address apply. */
  readonly rateLimit: boolean
  /** Addresses or CIDR ranges: their sockets belong to many peers. */
  readonly trustProxy: readonly string[]
  /** Bytes of request bodies that all workers hold at once. */
  readonly pendingBodyBytes: number
  /** Processes that share the port and the machine, this one included. */
  readonly workers: number
}

/** Minimum for one of many workers: one body of any size, and a burst of honest clients behind one address. */
const leastBodyBytes = 8 * 1024 * 1024
const leastUnverifiedPerAddress = 512
const leastUnverifiedSockets = 2048

/** A worker's share of the machine's resources. Connections are distributed to the workers in turn. */
function shareOf(total: number, workers: number, least: number): number {
  return Math.max(Math.min(total, least), Math.floor(total / workers))
}

/** Returns a function that checks whether an address is one of the proxies. */
function proxyCheck(trustProxy: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const entry of trustProxy) {
    const [address = '', bits] = entry.split('/')
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return address => list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
}

export function createHttpEdge(options: HttpEdgeOptions): HttpEdge {
  const { rateLimit, trustProxy, pendingBodyBytes, workers } = options
  const isProxy = proxyCheck(trustProxy)
  const refusedSockets = { address: 0, total: 0, pipelined: 0, descriptors: 0, unparsed: 0 }
  const descriptors = new Descriptors()
  const budget = createBodyBudget(shareOf(pendingBodyBytes, workers, leastBodyBytes))

  function keyOf(remoteAddress: string): string | undefined {
    const address = parseAddress(remoteAddress)
    return !rateLimit || (address !== undefined && isProxy(address)) ? undefined : limiterKeyOf(address)
  }

  const sockets = createUnverifiedSockets({
    keyOf,
    maxPerAddress: shareOf(maxUnverifiedPerAddress, workers, leastUnverifiedPerAddress),
    maxTotal: shareOf(maxUnverifiedSockets, workers, leastUnverifiedSockets),
    onRefused: bound => refusedSockets[bound]++
  })
  return {
    sockets,
    budget,
    readBody: createBodyReader(budget),
    onPipelined: () => refusedSockets.pipelined++,
    onCut: () => refusedSockets.unparsed++,
    keyOf,
    verifiedTokens: new VerifiedTokens(),
    descriptors,
    onDescriptors: () => refusedSockets.descriptors++,
    refusedSockets,
    bounds: () => [
      { name: 'unverified_sockets', used: sockets.size, limit: sockets.maxSize },
      { name: 'file_descriptors', used: descriptors.used, limit: descriptors.limit },
      { name: 'pending_body_bytes', used: budget.reservedBytes, limit: budget.maxBytes }
    ]
  }
}
