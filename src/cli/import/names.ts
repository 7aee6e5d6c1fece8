import { clean } from '../output.js'

/** Names in a message, and characters of each. */
const maxShownNames = 10
const maxNameChars = 64

/**
 * A list of unknown names, to follow their number in a message.
 * @param isShown  false if they may be values, since no known name is beside them
 * @returns e.g. ` ("colour", "size")`, or an empty text
 */
export function listNames(names: readonly string[], isShown: boolean): string {
  if (!isShown) return ''
  const shown = names.slice(0, maxShownNames).map(name => JSON.stringify(clean(name).slice(0, maxNameChars)))
  return ` (${shown.join(', ')}${names.length > maxShownNames ? ', …' : ''})`
}
