import { readableText, wordsOfName } from './source-text.js'
import { type AvoidedWord, avoidedWords } from './vocabulary.js'

/** Where a file uses an avoided word: `path:line: what; use: instead`. */
export type Finding = string

interface Rule extends AvoidedWord {
  readonly inNames: RegExp
  readonly inProse: RegExp
}

const wholeWord = (source: string) => new RegExp(`(?<![\\w-])(?:${source})(?![\\w-])`, 'i')

function compile(avoided: AvoidedWord): Rule {
  const { source } = avoided.word
  // A rule may write the words of a name as one: `lastWords`.
  const inNames = wholeWord(source.replaceAll(/([a-z])([A-Z])/g, '$1 $2'))
  return { ...avoided, inNames, inProse: wholeWord(source) }
}

const defaultRules = avoidedWords.map(compile)

/** Code in comments is data: `names` and URLs are removed. */
function proseOf(text: string): string {
  return text
    .replaceAll(/`[^`\n]*`|https?:\/\/\S+/g, '')
    .replaceAll(/^[ \t]*\*[ ]?/gm, '')
    .replaceAll(/\s+/g, ' ')
}

/** Finds avoided words in one file. */
export function findAvoided(path: string, text: string, words?: readonly AvoidedWord[]): Finding[] {
  const rules = (words?.map(compile) ?? defaultRules).filter(({ within }) => within?.test(path) ?? true)
  const { names, prose } = readableText(path, text)
  const findings: Finding[] = []
  const seen = new Set<string>()
  for (const { text: name, line } of names) {
    if (seen.has(name)) continue
    seen.add(name)
    const split = wordsOfName(name)
    for (const { only, inNames, use } of rules) {
      if (only !== 'prose' && inNames.test(split)) findings.push(`${path}:${line}: ${name}; use: ${use}`)
    }
  }
  for (const { text: passage, line } of prose) {
    const readable = proseOf(passage)
    for (const { only, inProse, use } of rules) {
      const match = only === 'names' ? null : inProse.exec(readable)
      if (match === null) continue
      const around = readable.slice(Math.max(0, match.index - 40), match.index + 60).trim()
      findings.push(`${path}:${line}: "${match[0].trim()}" in "…${around}…"; use: ${use}`)
    }
  }
  return findings
}
