import { clean } from '../output.js'

/** Names that a message shows, and characters of each. */
const maxShownNames = 10
const maxNameChars = 64

/**
 * Unknown names, behind their number in a message.
 * @param isShown  false where they may be values: without any known name beside them
 * @returns e.g. ` ("colour", "size")`, or an empty text
 */
export function listNames(names: readonly string[], isShown: boolean): string {
  if (!isShown) return ''
  const shown = names.slice(0, maxShownNames).map(name => JSON.stringify(clean(name).slice(0, maxNameChars)))
  return ` (${shown.join(', ')}${names.length > maxShownNames ? ', …' : ''})`
}
