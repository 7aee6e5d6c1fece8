import type { StoredPublication } from '../store/channels.js'

/** Publications as text (PROTOCOL §10.2): data is carried as the text that it has in the store. */

// A publication goes to one session after another: its text is made once.
let lastPublication: StoredPublication | undefined
let lastText = ''

/** The members of a `publication` that are the same for every session: all behind `seq`, and the closing brace. */
export function publicationMembers(channel: string, epoch: string, publication: StoredPublication): string {
  if (publication === lastPublication) return lastText
  const { offset, data, publishedAt } = publication
  // Channel names have no character that JSON escapes; an epoch is the store's own text.
  lastText = `"channel":"${channel}","offset":${offset},"epoch":${JSON.stringify(epoch)},"data":${data},"publishedAt":${publishedAt}}`
  lastPublication = publication
  return lastText
}
