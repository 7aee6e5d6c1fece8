import { parseEnv } from 'node:util'

/**
 * Splits a `.env` file into logical lines. `parseEnv` alone reads all text up to the next `=` as a name, so a malformed
 * line would hide the setting after it.
 */

export interface EnvFile {
  readonly variables: Readonly<Record<string, string | undefined>>
  /** One sentence for each line that is not a setting, a comment or blank. They never contain a value. */
  readonly faults: readonly string[]
}

/** Faulty lines that are reported one by one; a file in another format has nothing else. */
export const maxLineFaults = 20

const blankOrComment = /^[ \t]*(#.*)?$/
const assignment = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=[ \t]*/
// Control characters, other ends of lines, and invisible characters: a second file may begin after one.
// biome-ignore lint/suspicious/noControlCharactersInRegex: the expression searches for them
const invisible = /[\u0000-\u0008\u000b-\u001f\u007f\u0085\u200b-\u200f\u2028\u2029\u2060\ufeff]/
/** The only part of a faulty line that is quoted: the rest may be a secret. */
const nameAtStart = /^[^=:A-Za-z]*(?:(?:set|export)\s+)?(COUNTERSIGN_[A-Z_]{1,64})(?![A-Za-z0-9])/i

interface LogicalLine {
  readonly text: string
  /** The variable that the line sets; undefined for a blank line or a comment. */
  readonly name?: string
  readonly fault?: string
}

function notAnAssignment(text: string): LogicalLine {
  const name = nameAtStart.exec(text)?.[1]
  return { text, fault: `${name === undefined ? '' : `${name.toUpperCase()}: `}the line is not NAME=value` }
}

/** The logical line at the start of a text: more than one line of the file if its value is quoted. */
function firstLine(rest: string): LogicalLine {
  const end = rest.indexOf('\n')
  const line = end === -1 ? rest : rest.slice(0, end)
  if (blankOrComment.test(line)) return { text: line }
  const [prefix = '', name] = assignment.exec(line) ?? []
  if (name === undefined) return notAnAssignment(line)
  const quote = line.charAt(prefix.length)
  if (!['"', "'", '`'].includes(quote)) {
    if (!invisible.test(line.replace(/#.*/, ''))) return { text: line, name }
    return { text: line, fault: `${name}: an invisible character makes the line not NAME=value` }
  }
  const closing = rest.indexOf(quote, prefix.length + 1)
  if (closing === -1) return { text: line, fault: `${name}: its quote is never closed, so it is not NAME=value` }
  const lineEnd = rest.indexOf('\n', closing)
  const text = lineEnd === -1 ? rest : rest.slice(0, lineEnd)
  if (blankOrComment.test(text.slice(closing + 1))) return { text, name }
  return { text: line, fault: `${name}: text follows its closing quote, so it is not NAME=value` }
}

/**
 * @param path  named in the faults
 * @param text  the file without a byte order mark
 */
export function parseEnvLines(path: string, text: string): EnvFile {
  const faults: string[] = []
  // No prototype: `__proto__=x` is a name like any other.
  const variables: Record<string, string | undefined> = Object.create(null)
  let rest = text.replaceAll('\r\n', '\n')
  for (let lineNumber = 1; rest !== ''; ) {
    const { text: line, name, fault } = firstLine(rest)
    const parsed = name === undefined ? {} : parseEnv(line)
    // Independent of this Node's parser rules: the line sets this one variable.
    const agrees = name === undefined || (Object.keys(parsed).length === 1 && parsed[name] !== undefined)
    if (fault !== undefined || !agrees) {
      faults.push(`${path} line ${lineNumber}: ${fault ?? `${name}: the line is not NAME=value`}`)
    } else if (name !== undefined) variables[name] = parsed[name]
    rest = rest.slice(line.length + 1)
    lineNumber += line.split('\n').length
  }
  const more = faults.length - maxLineFaults
  if (more <= 0) return { variables, faults }
  return { variables, faults: [...faults.slice(0, maxLineFaults), `${path}: ${more} more such lines`] }
}
