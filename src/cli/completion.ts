import { type Command, UsageError } from './command.js'

/** Completion scripts for shells, from the table. They name words only: nothing is asked of a gateway while you type. */

export const shells = ['bash', 'zsh', 'fish'] as const

interface Word {
  readonly name: string
  readonly summary: string
}

/** Nouns with their verbs; a command without verbs has none. */
function nounsOf(table: readonly Command[]): { noun: string; summary: string; verbs: readonly Command[] }[] {
  return [...new Set(table.map(({ path }) => path[0]))].map(noun => {
    const commands = table.filter(({ path }) => path[0] === noun)
    const verbs = commands.filter(({ path }) => path.length === 2)
    const names = verbs.map(({ path }) => path[1]).join(', ')
    return { noun, verbs, summary: verbs.length === 0 ? (commands[0]?.summary ?? '') : names }
  })
}

function flagsOf({ flags }: Command): Word[] {
  return [...flags, { name: 'help', summary: 'Show help.' }].map(({ name, summary }) => ({
    name: `--${name}`,
    summary
  }))
}

function namesOf(words: readonly Word[]): string {
  return words.map(({ name }) => name).join(' ')
}

/** The words that a command's path and flags make, by `noun verb` or `noun`. */
function bash(table: readonly Command[]): string {
  const nouns = nounsOf(table)
  const verbs = nouns.filter(each => each.verbs.length > 0)
  return `# Completion of countersign for bash: source <(countersign completion bash)
_countersign() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words=
  case $previous in --save|--credential|--out|--data-dir|--tls-cert|--tls-key|import)
    COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  if [ "$COMP_CWORD" = 1 ]; then words='${nouns.map(({ noun }) => noun).join(' ')} help version'
  else
    case "\${COMP_WORDS[1]} \${COMP_WORDS[2]}" in
${table
  .filter(({ path }) => path.length === 2)
  .map(each => `      '${each.path.join(' ')}') words='${namesOf(flagsOf(each))}' ;;\n`)
  .join('')}    esac
    case \${COMP_WORDS[1]} in
${verbs
  .map(
    each =>
      `      ${each.noun}) [ "$COMP_CWORD" = 2 ] && words='${each.verbs.map(({ path }) => path[1]).join(' ')}' ;;\n`
  )
  .join('')}${table
  .filter(({ path }) => path.length === 1)
  .map(
    each =>
      `      ${each.path[0]}) words='${each.path[0] === 'completion' ? shells.join(' ') : namesOf(flagsOf(each))}' ;;\n`
  )
  .join('')}      help) words='${nouns.map(({ noun }) => noun).join(' ')}' ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _countersign countersign
`
}

/** For single quotes of a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

function describe(words: readonly Word[]): string {
  return words.map(({ name, summary }) => quote(`${name.replaceAll(':', '\\:')}:${summary}`)).join(' ')
}

function zsh(table: readonly Command[]): string {
  const nouns = nounsOf(table)
  const top = [...nouns.map(({ noun, summary }) => ({ name: noun, summary })), { name: 'help', summary: 'Show help.' }]
  return `#compdef countersign
# Completion of countersign for zsh: put it as _countersign into a folder of fpath
_countersign() {
  local -a words_here
  if (( CURRENT == 2 )); then words_here=(${describe(top)})
  else
    case "$words[2] $words[3]" in
${table
  .filter(({ path }) => path.length === 2)
  .map(each => `      ${quote(each.path.join(' '))}) words_here=(${describe(flagsOf(each))}) ;;\n`)
  .join('')}    esac
    case $words[2] in
${nouns
  .map(({ noun, verbs }) => {
    const [single] = table.filter(({ path }) => path.length === 1 && path[0] === noun)
    if (single !== undefined) {
      const own = noun === 'completion' ? shells.map(name => ({ name, summary: name })) : flagsOf(single)
      return `      ${noun}) words_here=(${describe(own)}) ;;\n`
    }
    const names = verbs.map(({ path, summary }) => ({ name: path[1] ?? '', summary }))
    return `      ${noun}) (( CURRENT == 3 )) && words_here=(${describe(names)}) ;;\n`
  })
  .join('')}    esac
  fi
  _describe 'countersign' words_here || _files
}
if [ "$funcstack[1]" = _countersign ]; then _countersign "$@"; else compdef _countersign countersign; fi
`
}

/** For single quotes of fish, where a backslash escapes. */
function fishQuote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

function fish(table: readonly Command[]): string {
  const nouns = nounsOf(table)
  const lines = nouns.map(
    ({ noun, summary }) => `complete -c countersign -n __fish_use_subcommand -f -a ${noun} -d ${fishQuote(summary)}`
  )
  for (const command of table) {
    const [noun, verb] = command.path
    const here =
      verb === undefined
        ? `__fish_seen_subcommand_from ${noun}`
        : `__fish_seen_subcommand_from ${noun}; and __fish_seen_subcommand_from ${verb}`
    if (verb !== undefined) {
      const verbs = table.flatMap(({ path }) => (path[0] === noun && path[1] !== undefined ? [path[1]] : [])).join(' ')
      const open = `__fish_seen_subcommand_from ${noun}; and not __fish_seen_subcommand_from ${verbs}`
      lines.push(`complete -c countersign -n '${open}' -f -a ${verb} -d ${fishQuote(command.summary)}`)
    }
    if (noun === 'completion') lines.push(`complete -c countersign -n '${here}' -f -a '${shells.join(' ')}'`)
    for (const flag of command.flags) {
      const value = flag.kind === 'switch' ? '' : ' -r'
      lines.push(`complete -c countersign -n '${here}' -l ${flag.name}${value} -d ${fishQuote(flag.summary)}`)
    }
  }
  return `# Completion of countersign for fish\n${lines.join('\n')}\n`
}

const writers: Readonly<Record<(typeof shells)[number], (table: readonly Command[]) => string>> = { bash, zsh, fish }

/** @throws UsageError for another shell */
export function complete(shell: string, table: readonly Command[]): string {
  const known = shells.find(each => each === shell)
  if (known === undefined) throw new UsageError(`<shell> is one of ${shells.join(', ')}`)
  return writers[known](table)
}
