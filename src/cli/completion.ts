import type { Command } from 'commander'
import { UsageError } from './errors.js'

/** Completion scripts for shells. They contain every candidate, so that a key press starts no process. */

export const shells = ['bash', 'zsh', 'fish'] as const

interface Candidate {
  readonly name: string
  readonly summary: string
  readonly takesValue?: boolean
}

/** Words that may follow the names of a command, e.g. `clients create`. */
interface Position {
  readonly path: readonly string[]
  readonly candidates: readonly Candidate[]
  /** The candidates are verbs or choices, which come right after the path. Options may come anywhere behind it. */
  readonly isNext: boolean
}

const help: Candidate = { name: 'help', summary: 'Show help.' }

function commandCandidates(commands: readonly Command[]): Candidate[] {
  return commands.map(each => ({ name: each.name(), summary: each.summary() || each.description() }))
}

function optionCandidates({ options }: Command): Candidate[] {
  const candidates = options.map(({ long, description, required }) => ({
    name: long ?? '',
    summary: description,
    takesValue: required
  }))
  return [...candidates, { ...help, name: '--help' }]
}

function topCandidates({ commands }: Command): Candidate[] {
  return [...commandCandidates(commands), help, { name: 'version', summary: 'Show the version.' }]
}

function positionsOf({ commands }: Command): Position[] {
  const positions = commands.flatMap((command): Position[] => {
    const noun = command.name()
    if (command.commands.length === 0) return [{ path: [noun], candidates: optionCandidates(command), isNext: false }]
    const verbs = command.commands.map(verb => ({
      path: [noun, verb.name()],
      candidates: optionCandidates(verb),
      isNext: false
    }))
    return [{ path: [noun], candidates: commandCandidates(command.commands), isNext: true }, ...verbs]
  })
  return [
    { path: ['help'], candidates: commandCandidates(commands), isNext: true },
    { path: ['completion'], candidates: shells.map(name => ({ name, summary: name })), isNext: true },
    ...positions
  ]
}

function names(candidates: readonly Candidate[]): string {
  return candidates.map(({ name }) => name).join(' ')
}

/** For single quotes of a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

function bash(program: Command): string {
  const branches = positionsOf(program).map(({ path, candidates, isNext }) => {
    const tests = path.map((name, i) => `\${COMP_WORDS[${i + 1}]} == ${name}`)
    if (isNext) tests.push('$COMP_CWORD == 2')
    return `  elif [[ ${tests.join(' && ')} ]]; then words='${names(candidates)}'\n`
  })
  return `# Completion of countersign for bash: source <(countersign completion bash)
_countersign() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words=
  case $previous in --save|--credential|--out|--data-dir|--tls-cert|--tls-key|import)
    COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  if [[ $COMP_CWORD == 1 ]]; then words='${names(topCandidates(program))}'
${branches.join('')}  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _countersign countersign
`
}

function zsh(program: Command): string {
  const described = (candidates: readonly Candidate[]) =>
    candidates.map(({ name, summary }) => quote(`${name.replaceAll(':', '\\:')}:${summary}`)).join(' ')
  const branches = positionsOf(program).map(({ path, candidates, isNext }) => {
    const tests = path.map((name, i) => `$words[${i + 2}] == ${name}`)
    if (isNext) tests.push('$CURRENT == 3')
    return `  elif [[ ${tests.join(' && ')} ]]; then suggestions=(${described(candidates)})\n`
  })
  return `#compdef countersign
# Completion of countersign for zsh: put it as _countersign into a folder of fpath
_countersign() {
  local -a suggestions
  if [[ $CURRENT == 2 ]]; then suggestions=(${described(topCandidates(program))})
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
  function line(condition: string, { name, summary, takesValue }: Candidate): string {
    const suggestion = name.startsWith('--') ? `-l ${name.slice(2)}${takesValue ? ' -r' : ''}` : `-f -a ${name}`
    return `complete -c countersign -n '${condition}' ${suggestion} -d ${fishQuote(summary)}\n`
  }
  const lines = positionsOf(program).flatMap(({ path, candidates, isNext }) => {
    const seen = path.map(name => `__fish_seen_subcommand_from ${name}`)
    if (isNext) seen.push(`not __fish_seen_subcommand_from ${names(candidates)}`)
    return candidates.map(candidate => line(seen.join('; and '), candidate))
  })
  const top = topCandidates(program).map(candidate => line('__fish_use_subcommand', candidate))
  return `# Completion of countersign for fish\n${[...top, ...lines].join('')}`
}

const writers: Readonly<Record<string, (program: Command) => string>> = { bash, zsh, fish }

/** @throws UsageError for another shell */
export function completionScript(shell: string, program: Command): string {
  if (!Object.hasOwn(writers, shell)) throw new UsageError(`argument 'shell' must be one of ${shells.join(', ')}`)
  return writers[shell]?.(program) ?? ''
}
