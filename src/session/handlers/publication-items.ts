import type { DownstreamMessages } from '../../protocol/messages.js'
import type { StoredPublication } from '../../store/channels.js'
import { publisherOf } from '../../store/owners.js'

/** Publications as items of a list in a frame (PROTOCOL §10.2). */

export type PublicationItem = NonNullable<DownstreamMessages['subscribed']['publications']>[number]

/** A publication with its data parsed. */
export interface ParsedPublication {
  readonly publication: StoredPublication
  readonly data: unknown
}

/** A list nests data in the frame, the list and the item; a `publication` only in the frame. */
const levelsAboveData = 3

/** Levels of a JSON value: 0 for anything but an array or object. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

export function parsed(publications: readonly StoredPublication[]): readonly ParsedPublication[] {
  return publications.map(publication => ({ publication, data: JSON.parse(publication.data) }))
}

export function itemOf({ publication, data }: ParsedPublication): PublicationItem {
  const { offset, publishedAt, owners = '' } = publication
  const publisher = publisherOf(owners)
  return { offset, data, publishedAt, ...(publisher === undefined ? {} : { publisher }) }
}

/** Most bytes that one item adds to a frame. */
export function itemBytes(publication: StoredPublication): number {
  return Buffer.byteLength(publication.data) + JSON.stringify(itemOf({ publication, data: 0 })).length
}

/** Whether a list may hold the item. @param depth  levels that a frame may have (PROTOCOL §11) */
export function isWithinDepth({ publication, data }: ParsedPublication, depth: number): boolean {
  const most = depth - levelsAboveData
  // Text this short cannot nest too deep, so most data is not scanned.
  return publication.data.length < most || depthOf(data) <= most
}

/** The newest that fit into a number of bytes; at least one, unless the list is empty. */
export function newestWithin(
  publications: readonly StoredPublication[],
  maxBytes: number
): readonly StoredPublication[] {
  let left = maxBytes
  let start = publications.length
  for (const publication of publications.toReversed()) {
    left -= itemBytes(publication)
    if (left < 0 && start < publications.length) break
    start--
  }
  return publications.slice(start)
}
