import type { TicketStore } from '../ephemeral.js'
import { ShareExceeded, StoreUnavailable } from '../errors.js'
import { shareOfHeap, textBytes, ticketOverheadBytes } from '../memory-cost.js'
import type { StoreBound } from '../store.js'
import type { SavedTickets } from './restart-saver.js'

/** Most live tickets. At the bound new ones are refused. */
export const maxLiveTickets = 500_000
/** Most bytes of live tickets: at most an eighth of the heap, and at most this. */
const maxTicketBytes = 512 * 1024 * 1024
const ticketHeapShare = 1 / 8
/** One owner's largest share of these bytes: the rest is for the others. */
const ownerShare = 1 / 4
/** Minimum interval between searches for ended tickets, in milliseconds: each reads all of them. */
const sweepEveryMs = 1000

interface LiveTicket {
  /** In order of creation, which is also the order of the table. */
  readonly number: number
  readonly text: string
  readonly endsAt: number
  readonly owner: string
}

export interface EmbeddedTickets extends TicketStore, SavedTickets {
  bounds(): readonly StoreBound[]
}

/** Saves tickets for a restart. */
export interface TicketSaver {
  /** Resolves when a changed ticket is on disk. @throws WriteFailure */
  readonly saveTicket: (keyId: string) => Promise<void>
  readonly onTicketEnd: (keyId: string) => void
}

const savesNothing: TicketSaver = { saveTicket: async () => {}, onTicketEnd() {} }

function bytesOf({ text }: LiveTicket): number {
  return ticketOverheadBytes + textBytes(text)
}

/** Live tickets, with the use of each owner. */
class TicketTable {
  readonly #live = new Map<string, LiveTicket>()
  readonly #bytesByOwner = new Map<string, number>()
  readonly #onEnd: (keyId: string) => void
  #sweptAt = Number.NEGATIVE_INFINITY
  bytes = 0

  constructor(onEnd: (keyId: string) => void) {
    this.#onEnd = onEnd
  }

  get size(): number {
    return this.#live.size
  }

  get(keyId: string): LiveTicket | undefined {
    return this.#live.get(keyId)
  }

  /** @param ticket  of a new or a known keyId, which keeps its place in the order */
  set(keyId: string, ticket: LiveTicket): void {
    const before = this.#live.get(keyId)
    if (before !== undefined) this.#add(before.owner, -bytesOf(before))
    this.#live.set(keyId, ticket)
    this.#add(ticket.owner, bytesOf(ticket))
  }

  entries(): Iterable<[string, LiveTicket]> {
    return this.#live
  }

  remove(keyId: string): void {
    const ticket = this.#live.get(keyId)
    if (ticket === undefined) return
    this.#live.delete(keyId)
    this.#add(ticket.owner, -bytesOf(ticket))
  }

  removeEnded(now: number): void {
    if (now - this.#sweptAt < sweepEveryMs) return
    this.#sweptAt = now
    for (const [keyId, { endsAt }] of this.#live) {
      if (endsAt > now) continue
      this.remove(keyId)
      this.#onEnd(keyId)
    }
  }

  /** @throws ShareExceeded, StoreUnavailable */
  requireCapacity(owner: string, maxBytes: number, now: number): void {
    const hasShare = () => (this.#bytesByOwner.get(owner) ?? 0) >= maxBytes * ownerShare
    const isFull = () => this.size >= maxLiveTickets || this.bytes >= maxBytes
    if (isFull() || hasShare()) this.removeEnded(now)
    if (hasShare()) throw new ShareExceeded('tickets', this.size)
    if (!isFull()) return
    throw new StoreUnavailable(new Error(`${this.size} live tickets, the most that are kept`), 'unsent')
  }

  #add(owner: string, bytes: number): void {
    this.bytes += bytes
    const sum = (this.#bytesByOwner.get(owner) ?? 0) + bytes
    if (sum === 0) this.#bytesByOwner.delete(owner)
    else this.#bytesByOwner.set(owner, sum)
  }
}

/**
 * Tickets in memory, for one process.
 * @param now       unix milliseconds
 * @param maxBytes  total bound in bytes. Default: an eighth of the heap, 512 MiB at most
 * @param saver     default: they do not survive a restart
 */
export function createEmbeddedTickets(
  now: () => number,
  maxBytes: number = shareOfHeap(ticketHeapShare, maxTicketBytes),
  saver: TicketSaver = savesNothing
): EmbeddedTickets {
  const table = new TicketTable(saver.onTicketEnd)
  let created = 0

  return {
    async put(keyId, text, lifeMs, owner) {
      table.requireCapacity(owner, maxBytes, now())
      const number = table.get(keyId)?.number ?? ++created
      table.set(keyId, { number, text, endsAt: now() + lifeMs, owner })
      // It is still valid, until a restart.
      await saver.saveTicket(keyId).catch(() => {})
    },
    async list(after, limit) {
      const items: { keyId: string; text: string }[] = []
      for (const [keyId, { number, text, endsAt }] of table.entries()) {
        if (number <= Number(after) || endsAt <= now()) continue
        items.push({ keyId, text })
        if (items.length === limit) return { items, next: String(number) }
      }
      return { items }
    },
    async replace(keyId, expected, text) {
      const ticket = table.get(keyId)
      if (ticket === undefined || ticket.endsAt <= now() || ticket.text !== expected) return false
      table.set(keyId, { ...ticket, text })
      try {
        await saver.saveTicket(keyId)
      } catch (error) {
        // It may have been revoked, and must not become valid again after a restart.
        throw new StoreUnavailable(error, 'unknown')
      }
      return true
    },
    async get(keyId) {
      const ticket = table.get(keyId)
      return ticket !== undefined && ticket.endsAt > now() ? ticket.text : undefined
    },
    rowOf(keyId) {
      const ticket = table.get(keyId)
      return ticket === undefined ? undefined : [ticket.number, ticket.text, ticket.endsAt, ticket.owner]
    },
    restore(keyId, [number, text, endsAt, owner]) {
      if (endsAt <= now()) return
      created = Math.max(created, number)
      table.set(keyId, { number, text, endsAt, owner })
    },
    bounds: () => [
      { name: 'tickets', used: table.size, limit: maxLiveTickets },
      { name: 'ticket_bytes', used: table.bytes, limit: maxBytes }
    ]
  }
}
