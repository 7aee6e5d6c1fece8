/** The first entries that fit into a number of bytes as JSON; at least one, unless the list is empty. */
export function firstWithin<Entry>(entries: readonly Entry[], maxBytes: number): readonly Entry[] {
  let left = maxBytes
  for (const [i, entry] of entries.entries()) {
    // One byte more for the comma.
    left -= Buffer.byteLength(JSON.stringify(entry)) + 1
    if (left < 0 && i > 0) return entries.slice(0, i)
  }
  return entries
}
