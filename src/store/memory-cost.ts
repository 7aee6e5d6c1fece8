import { getHeapStatistics } from 'node:v8'

/**
 * Memory cost of stored objects in this process. The constants are rounded up from `scripts/measure-memory.mjs` on Node
 * 20: it prints 80 bytes beside a publication's text, 225 beside a channel's name, 167 beside the key of an idempotency
 * result.
 */

/** A publication besides its text: 80 measured, plus its slot in an array that grows by half. */
export const publicationOverheadBytes = 112
/** The owners of a publication besides their text, which is ASCII: a property and the header of a string. */
export const ownersOverheadBytes = 24
/** A channel without publications, besides its name. */
export const channelOverheadBytes = 272
/** The buffer of a channel that has publications, and its place in the order of ends. */
export const historyOverheadBytes = 256
/** An idempotency result besides its key. */
export const resultOverheadBytes = 192
/** A ticket besides its text: an entry of a map, its id, its end. */
export const ticketOverheadBytes = 192

/** A call besides its texts: an entry of a map, its record and a list of waiters. */
export const callOverheadBytes = 320

/** An idle session of a WebSocket: 8.9 KiB measured (`npm run bench -- sessions`). One of the bridge takes more. */
const sessionBytes = 9 * 1024

/**
 * Bytes of a text in the heap: V8 uses one byte a character if all are Latin-1, otherwise two. Non-ASCII texts count
 * two.
 */
export function textBytes(text: string): number {
  return Buffer.byteLength(text) === text.length ? text.length : 2 * text.length
}

/** Bytes of a stored publication. @param data  JSON text. @param owners  see owners.ts */
export function publicationBytes(data: string, owners = ''): number {
  const ownersBytes = owners === '' ? 0 : ownersOverheadBytes + owners.length
  return publicationOverheadBytes + ownersBytes + textBytes(data)
}

/** Reserved from all shares: 48 MiB of an idle gateway (measured), and as many for new objects. */
const ownHeapBytes = 96 * 1024 * 1024
/** Part of a small heap that is shared even so. */
const leastHeapShare = 1 / 4

/** Approximate number of sessions that fit into an otherwise empty heap. @param limitBytes  default: of this process */
export function sessionsThatFit(limitBytes: number = getHeapStatistics().heap_size_limit): number {
  return Math.max(0, Math.floor((limitBytes - ownHeapBytes) / sessionBytes))
}

/**
 * A share of the heap of this process (`--max-old-space-size`). All shares together are less than the whole: a process
 * that reaches its limit ends.
 * @param share     from 0 to 1
 * @param maxBytes  upper bound for any heap
 */
export function shareOfHeap(share: number, maxBytes: number): number {
  const { heap_size_limit: limitBytes } = getHeapStatistics()
  const sharedBytes = Math.max(limitBytes - ownHeapBytes, limitBytes * leastHeapShare)
  return Math.min(maxBytes, Math.floor(share * sharedBytes))
}
