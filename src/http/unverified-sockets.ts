import type { Socket } from 'node:net'

/**
 * Bounds the open sockets that have not carried a verified session or a valid token: per peer address and in total. At
 * a bound the oldest of them is closed for a new one: a peer with many idle sockets loses them, and newcomers are never
 * refused.
 */
export interface UnverifiedSockets {
  /** Open unverified sockets. */
  readonly size: number
  readonly maxSize: number
  /** Counts a new socket. At a bound another one is destroyed. */
  add(socket: Socket): void
  /** The TLS socket of a counted socket; requests refer to the TLS socket. */
  secured(tls: Socket): void
}

export interface UnverifiedSocketOptions {
  /** The key that counts for a peer address; undefined: not counted by address, as for a trusted proxy. */
  readonly keyOf: (remoteAddress: string) => string | undefined
  readonly maxPerAddress: number
  readonly maxTotal: number
  /** Called for each socket that is destroyed at a bound. */
  readonly onRefused: (bound: 'address' | 'total') => void
}

/** Unverified sockets of one address. A burst of 1,000 honest WebSocket clients behind one address fits well. */
export const maxUnverifiedPerAddress = 4096
/** Unverified sockets of the process. Each costs about 10 KiB. */
export const maxUnverifiedSockets = 16_384
interface Entry {
  readonly socket: Socket
  readonly key: string | undefined
  readonly release: () => void
}

const entries = new WeakMap<Socket, Entry>()

/** Releases a socket from the bounds: it carries a session or a request with a valid token. */
export function markVerified(socket: Socket): void {
  const entry = entries.get(socket)
  if (entry === undefined) return
  entries.delete(socket)
  entry.release()
}

/** Identifies a connection: a TLS socket and the socket below it have the same four values. */
function endpointsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}

function oldestOf(sockets: Iterable<Entry> | undefined): Entry | undefined {
  for (const entry of sockets ?? []) return entry
  return undefined
}

export function createUnverifiedSockets(options: UnverifiedSocketOptions): UnverifiedSockets {
  const { keyOf, maxPerAddress, maxTotal, onRefused } = options
  // In order of arrival.
  const all = new Map<string, Entry>()
  const byAddress = new Map<string, Set<Entry>>()

  function remove(endpoints: string, entry: Entry): void {
    if (all.get(endpoints) === entry) all.delete(endpoints)
    if (entry.key === undefined) return
    const siblings = byAddress.get(entry.key)
    siblings?.delete(entry)
    if (siblings?.size === 0) byAddress.delete(entry.key)
  }

  function evict(oldest: Entry | undefined, bound: 'address' | 'total'): void {
    onRefused(bound)
    oldest?.release()
    oldest?.socket.destroy()
  }

  function makePlace(key: string | undefined): void {
    const siblings = key === undefined ? undefined : byAddress.get(key)
    if (siblings !== undefined && siblings.size >= maxPerAddress) evict(oldestOf(siblings), 'address')
    if (all.size >= maxTotal) evict(oldestOf(all.values()), 'total')
  }

  return {
    get size() {
      return all.size
    },
    maxSize: maxTotal,
    add(socket) {
      // Already counted: the upgrade offer of its last request was ignored.
      if (entries.has(socket)) return
      const { remoteAddress } = socket
      const key = remoteAddress === undefined ? undefined : keyOf(remoteAddress)
      makePlace(key)
      const endpoints = endpointsOf(socket)
      const entry: Entry = { socket, key, release: () => remove(endpoints, entry) }
      all.set(endpoints, entry)
      if (key !== undefined) {
        const siblings = byAddress.get(key) ?? new Set()
        byAddress.set(key, siblings.add(entry))
      }
      entries.set(socket, entry)
      socket.once('close', entry.release)
    },
    secured(tls) {
      const entry = all.get(endpointsOf(tls))
      if (entry !== undefined) entries.set(tls, entry)
    }
  }
}
