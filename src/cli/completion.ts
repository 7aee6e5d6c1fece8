import type { Command } from 'commander'
import { UsageError } from './errors.js'

/** Completion scripts for shells. They hold every word themselves, so that a key press starts no process. */

export const shells = ['bash', 'zsh', 'fish'] as const

interface Word {
  readonly name: string
  readonly summary: string
  readonly takesValue?: boolean
}

/** What may follow one or two words of a command, e.g. `clients create`. */
interface Position {
  readonly path: readonly string[]
  readonly words: readonly Word[]
  /** The words are verbs or choices, which come right after the path. Options may come anywhere behind it. */
  readonly isNext: boolean
}

const help: Word = { name: 'help', summary: 'Show help.' }

function commandWords(commands: readonly Command[]): Word[] {
  return commands.map(each => ({ name: each.name(), summary: each.summary() || each.description() }))
}

function optionWords({ options }: Command): Word[] {
  const words = options.map(({ long, description, required }) => ({
    name: long ?? '',
    summary: description,
    takesValue: required
  }))
  return [...words, { ...help, name: '--help' }]
}

function topWords({ commands }: Command): Word[] {
  return [...commandWords(commands), help, { name: 'version', summary: 'Show the version.' }]
}

function positionsOf({ commands }: Command): Position[] {
  const positions = commands.flatMap((command): Position[] => {
    const noun = command.name()
    if (command.commands.length === 0) return [{ path: [noun], words: optionWords(command), isNext: false }]
    const verbs = command.commands.map(verb => ({
      path: [noun, verb.name()],
      words: optionWords(verb),
      isNext: false
    }))
    return [{ path: [noun], words: commandWords(command.commands), isNext: true }, ...verbs]
  })
  return [
    { path: ['help'], words: commandWords(commands), isNext: true },
    { path: ['completion'], words: shells.map(name => ({ name, summary: name })), isNext: true },
    ...positions
  ]
}

function names(words: readonly Word[]): string {
  return words.map(({ name }) => name).join(' ')
}

/** For single quotes of a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

function bash(program: Command): string {
  const branches = positionsOf(program).map(({ path, words, isNext }) => {
    const tests = path.map((word, i) => `\${COMP_WORDS[${i + 1}]} == ${word}`)
    if (isNext) tests.push('$COMP_CWORD == 2')
    return `  elif [[ ${tests.join(' && ')} ]]; then words='${names(words)}'\n`
  })
  return `# Completion of countersign for bash: source <(countersign completion bash)
_countersign() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words=
  case $previous in --save|--credential|--out|--data-dir|--tls-cert|--tls-key|import)
    COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  if [[ $COMP_CWORD == 1 ]]; then words='${names(topWords(program))}'
${branches.join('')}  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _countersign countersign
`
}

function zsh(program: Command): string {
  const described = (words: readonly Word[]) =>
    words.map(({ name, summary }) => quote(`${name.replaceAll(':', '\\:')}:${summary}`)).join(' ')
  const branches = positionsOf(program).map(({ path, words, isNext }) => {
    const tests = path.map((word, i) => `$words[${i + 2}] == ${word}`)
    if (isNext) tests.push('$CURRENT == 3')
    return `  elif [[ ${tests.join(' && ')} ]]; then suggestions=(${described(words)})\n`
  })
  return `#compdef countersign
# Completion of countersign for zsh: put it as _countersign into a folder of fpath
_countersign() {
  local -a suggestions
  if [[ $CURRENT == 2 ]]; then suggestions=(${described(topWords(program))})
${branches.join('')}  fi
  _describe 'countersign' suggestions || _files
}
if [ "$funcstack[1]" = _countersign ]; then _countersign "$@"; else compdef _countersign countersign; fi
`
}

/** For single quotes of fish, where a backslash escapes. */
function fishQuote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

function fish(program: Command): string {
  function line(condition: string, { name, summary, takesValue }: Word): string {
    const word = name.startsWith('--') ? `-l ${name.slice(2)}${takesValue ? ' -r' : ''}` : `-f -a ${name}`
    return `complete -c countersign -n '${condition}' ${word} -d ${fishQuote(summary)}\n`
  }
  const lines = positionsOf(program).flatMap(({ path, words, isNext }) => {
    const seen = path.map(word => `__fish_seen_subcommand_from ${word}`)
    if (isNext) seen.push(`not __fish_seen_subcommand_from ${names(words)}`)
    return words.map(word => line(seen.join('; and '), word))
  })
  const top = topWords(program).map(word => line('__fish_use_subcommand', word))
  return `# Completion of countersign for fish\n${[...top, ...lines].join('')}`
}

const writers: Readonly<Record<string, (program: Command) => string>> = { bash, zsh, fish }

/** @throws UsageError for another shell */
export function completionScript(shell: string, program: Command): string {
  if (!Object.hasOwn(writers, shell)) throw new UsageError(`argument 'shell' must be one of ${shells.join(', ')}`)
  return writers[shell]?.(program) ?? ''
}
