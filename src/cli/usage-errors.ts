import type { Command, CommanderError } from 'commander'
import { UsageError } from './errors.js'

/** Commander's errors in our form: one sentence with the probable intention. */

/** Verbs of other programs and their names here. */
const synonyms: Readonly<Record<string, string>> = {
  ...{ add: 'create', new: 'create', issue: 'create', rotate: 'create', ls: 'list', get: 'show', info: 'show' },
  ...{ edit: 'update', set: 'update', rm: 'delete', remove: 'delete', kill: 'end', log: 'list' }
}

/**
 * Suggestions that commander misses (it compares edit distances): synonyms, and the only name with the same beginning.
 */
function suggest(typed: string, names: readonly string[]): string | undefined {
  const synonym = synonyms[typed]
  if (synonym !== undefined && names.includes(synonym)) return synonym
  const [start, ...others] = names.filter(name => typed.length > 1 && name.startsWith(typed))
  return others.length === 0 ? start : undefined
}

/** The names that could have been meant. */
function candidates(code: string, { commands, options }: Command): string[] {
  if (code === 'commander.unknownCommand') return commands.map(each => each.name())
  return code === 'commander.unknownOption' ? options.map(({ long }) => long ?? '') : []
}

/**
 * Without the value of an unknown option, which may be a secret.
 * @param command  the command whose arguments or options are wrong */
export function toUsageError({ message, code }: CommanderError, command: Command): UsageError {
  const [text = '', didYouMean] = message
    .replace(/^error: /, '')
    .replace(/'(--[^=']+)=[\s\S]*'/, "'$1'")
    .split('\n')
  const subject = /'([^']*)'/.exec(text)?.[1] ?? ''
  const suggestion = suggest(subject, candidates(code, command))
  const hint = suggestion === undefined ? didYouMean : `(Did you mean ${suggestion}?)`
  const described = [
    ...command.registeredArguments.filter(each => each.name() === subject),
    ...command.options.filter(each => each.flags === subject)
  ].map(({ description }) => `: ${description}`)
  const sentence = `${text}${described.join('')}`.replace(/\.$/, '')
  return new UsageError(hint === undefined ? sentence : `${sentence} ${hint}`)
}
