import type { TicketStore } from '../ephemeral.js'
import { ShareExceeded, StoreUnavailable } from '../errors.js'
import { shareOfHeap, textBytes, ticketOverheadBytes } from '../memory-cost.js'
import type { StoreBound } from '../store.js'

/** Most live tickets. At the bound new ones are refused. */
export const maxLiveTickets = 500_000
/** Most bytes of live tickets: an eighth of the heap, and this at most. */
const maxTicketBytes = 512 * 1024 * 1024
const ticketHeapShare = 1 / 8
/** One owner's part of these bytes, at most: the rest is for the others. */
const ownerShare = 1 / 4
/** Ended tickets are looked for this often at most, since that reads all of them. In milliseconds. */
const sweepEveryMs = 1000

interface LiveTicket {
  /** In the order in which they were created, which is also the order of the table. */
  readonly number: number
  readonly text: string
  readonly endsAt: number
  readonly owner: string
}

export interface EmbeddedTickets extends TicketStore {
  bounds(): readonly StoreBound[]
}

function bytesOf({ text }: LiveTicket): number {
  return ticketOverheadBytes + textBytes(text)
}

/** Live tickets, with what each owner has of them. */
class TicketTable {
  readonly #live = new Map<string, LiveTicket>()
  readonly #bytesByOwner = new Map<string, number>()
  #sweptAt = Number.NEGATIVE_INFINITY
  bytes = 0

  get size(): number {
    return this.#live.size
  }

  get(keyId: string): LiveTicket | undefined {
    return this.#live.get(keyId)
  }

  /** @param ticket  of a keyId that the table may have; its place in the order stays */
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
    for (const [keyId, { endsAt }] of this.#live) if (endsAt <= now) this.remove(keyId)
  }

  /** Bytes of an owner's tickets. */
  bytesOfOwner(owner: string): number {
    return this.#bytesByOwner.get(owner) ?? 0
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
 * @param maxBytes  most bytes of all. Default: an eighth of the heap, 512 MiB at most
 */
export function createEmbeddedTickets(
  now: () => number,
  maxBytes: number = shareOfHeap(ticketHeapShare, maxTicketBytes)
): EmbeddedTickets {
  const table = new TicketTable()
  let created = 0
  const isFull = () => table.size >= maxLiveTickets || table.bytes >= maxBytes

  return {
    async put(keyId, text, lifeMs, owner) {
      const hasShare = () => table.bytesOfOwner(owner) >= maxBytes * ownerShare
      if (isFull() || hasShare()) table.removeEnded(now())
      if (hasShare()) throw new ShareExceeded('tickets', table.size)
      if (isFull()) {
        throw new StoreUnavailable(new Error(`${table.size} live tickets, the most that are kept`), 'unsent')
      }
      const number = table.get(keyId)?.number ?? ++created
      table.set(keyId, { number, text, endsAt: now() + lifeMs, owner })
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
      return true
    },
    async get(keyId) {
      const ticket = table.get(keyId)
      return ticket !== undefined && ticket.endsAt > now() ? ticket.text : undefined
    },
    bounds: () => [
      { name: 'tickets', used: table.size, limit: maxLiveTickets },
      { name: 'ticket_bytes', used: table.bytes, limit: maxBytes }
    ]
  }
}
