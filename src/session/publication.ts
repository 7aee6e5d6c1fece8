import type { StoredPublication } from '../store/channels.js'
import { publisherOf } from '../store/owners.js'

/** Publications as text (PROTOCOL §10.2). Data keeps its text of the store. */

// Fan-out sends one publication to many sessions in a row, so its text is built once.
let lastPublication: StoredPublication | undefined
let lastText = ''

/** The members of a `publication` that are equal for every session: everything after `seq`, and the closing brace. */
export function publicationMembers(channel: string, epoch: string, publication: StoredPublication): string {
  if (publication === lastPublication) return lastText
  const { offset, data, publishedAt, owners = '' } = publication
  const publisher = publisherOf(owners)
  // An identifier contains no character that JSON escapes.
  const by = publisher === undefined ? '' : `,"publisher":"${publisher}"`
  // Channel names contain no character that JSON escapes; an epoch may.
  lastText = `"channel":"${channel}","offset":${offset},"epoch":${JSON.stringify(epoch)},"data":${data},"publishedAt":${publishedAt}${by}}`
  lastPublication = publication
  return lastText
}
