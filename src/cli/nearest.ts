/** The word that was most likely meant, for a hint beside an error. */

/** Changes of one character that may lie between a word and what was meant. */
const maxChanges = 2

/** How many characters must be put in, taken out or replaced to make `b` of `a` (Levenshtein). */
function changesBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...b].entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

/**
 * @param word     what was typed
 * @param choices  what there is
 * @returns one that begins with the word, or differs from it in a letter or two; nothing where none is near
 */
export function nearest(word: string, choices: readonly string[]): string | undefined {
  const begun = word.length > 1 ? [...new Set(choices)].filter(each => each.startsWith(word)) : []
  if (begun.length === 1) return begun[0]
  const [best] = choices
    .map(each => ({ each, changes: changesBetween(word, each) }))
    .filter(({ each, changes }) => changes <= maxChanges && changes < Math.min(each.length, word.length))
    .sort((a, b) => a.changes - b.changes)
  return best?.each
}
