import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { Socket } from 'node:net'

/**
 * File descriptors reserved from sessions, so that health checks on new connections are answered and the store can
 * reconnect when the rest is used up.
 */
export const reservedDescriptors = 32
/**
 * Connections that the reserve serves at once; the rest is for the process itself. At the bound the oldest one is
 * closed.
 */
const maxReservedSockets = reservedDescriptors / 2
/** With more sockets than this, counting all descriptors takes milliseconds and is done less often. */
const manySockets = 5000
const manySocketsEvery = 10

/** The limit of open files of this process; undefined where the system does not show it. */
export function readDescriptorLimit(): number | undefined {
  try {
    const [, limit = ''] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return limit === '' ? undefined : Number(limit)
  } catch {
    return undefined
  }
}

/**
 * Counts the descriptors of `/proc/self/fd`, except the one that reads it. @throws where the system does not show them
 */
async function countDescriptors(): Promise<number> {
  return (await readdir('/proc/self/fd')).length - 1
}

/** Identifies a connection: a TLS socket and the socket below it have the same values. */
function endpointsOf({ remoteAddress, remotePort, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localPort}`
}

/** Decides which connections use the reserve when file descriptors run out. */
export class Descriptors {
  readonly limit: number
  readonly #reserve: number
  readonly #count: () => Promise<number>
  /** Open connections of the server. */
  #sockets = 0
  /** Other open descriptors, as last counted. */
  #others = 0
  #samples = 0
  readonly #known = new WeakSet<Socket>()
  /** Connections served from the reserve, in order of arrival. */
  readonly #reserved = new Map<string, Socket>()

  /**
   * @param limit  most open files; Infinity: unknown
   * @param count  counts all open descriptors
   */
  constructor(limit = readDescriptorLimit() ?? Number.POSITIVE_INFINITY, count = countDescriptors) {
    this.limit = limit
    this.#reserve = Math.min(reservedDescriptors, Math.floor(limit / 4))
    this.#count = count
  }

  get used(): number {
    return this.#others + this.#sockets
  }

  /** Connections available beside the needs of the process itself. */
  get maxSockets(): number {
    return Math.max(0, this.limit - this.#reserve - this.#others)
  }

  /** Counts a new connection of the server. */
  add(socket: Socket): void {
    // Already counted: the upgrade offer of its last request was ignored.
    if (this.#known.has(socket)) return
    this.#known.add(socket)
    this.#sockets++
    const endpoints = this.#sockets > this.maxSockets ? endpointsOf(socket) : undefined
    if (endpoints !== undefined) this.#admitToReserve(endpoints, socket)
    socket.once('close', () => {
      this.#sockets--
      if (endpoints !== undefined) this.#reserved.delete(endpoints)
    })
  }

  #admitToReserve(endpoints: string, socket: Socket): void {
    if (this.#reserved.size >= maxReservedSockets) {
      const [oldest] = this.#reserved
      if (oldest !== undefined) {
        this.#reserved.delete(oldest[0])
        oldest[1].destroy()
      }
    }
    this.#reserved.set(endpoints, socket)
  }

  /** Whether a connection may only ask for health and metrics. */
  isReserved(socket: Socket): boolean {
    return this.#reserved.size > 0 && this.#reserved.has(endpointsOf(socket))
  }

  /** Counts other open descriptors. Call it about once a second. */
  async sample(): Promise<void> {
    if (this.limit === Number.POSITIVE_INFINITY) return
    if (this.#sockets > manySockets && this.#samples++ % manySocketsEvery !== 0) return
    try {
      const before = this.#sockets
      this.#others = Math.max(0, (await this.#count()) - before)
    } catch {
      // The last count stands: no descriptor is left to count with, or the system does not show descriptors.
    }
  }
}
