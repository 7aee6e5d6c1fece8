import type { StoredPublication } from '../channels.js'
import { parseHead } from './owners-suffix.js'
import { UnexpectedReply } from './replies.js'

export interface PublicationNotification {
  readonly epoch: string
  readonly publication: StoredPublication
}

function publicationOf(offset: number, head: string, data: string): StoredPublication {
  const { publishedAt, owners } = parseHead(head)
  return owners === '' ? { offset, data, publishedAt } : { offset, data, publishedAt, owners }
}

/** Reads `offset:head:epoch:data`, see scripts/channel-publish.lua. */
export function parsePublication(message: string): PublicationNotification {
  const first = message.indexOf(':')
  const second = message.indexOf(':', first + 1)
  const third = message.indexOf(':', second + 1)
  const offset = Number(message.slice(0, first))
  const publication = publicationOf(offset, message.slice(first + 1, second), message.slice(third + 1))
  return { epoch: message.slice(second + 1, third), publication }
}

/** Reads entries `head:data`. @param top  the offset of the newest */
export function parseHistory(entries: readonly string[], top: number): StoredPublication[] {
  return entries.map((entry, i) => {
    const end = entry.indexOf(':')
    const publication = publicationOf(
      top - entries.length + 1 + i,
      entry.slice(0, Math.max(end, 0)),
      entry.slice(end + 1)
    )
    if (end < 0 || Number.isNaN(publication.publishedAt)) throw new UnexpectedReply(entry)
    return publication
  })
}
