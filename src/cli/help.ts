import type { Argument, Command, Flag } from './command.js'
import { gatewayFlags } from './common.js'
import { table } from './table.js'

/** Help, from the table. */

const width = 100

/** Text in lines of at most `width`, all but the first indented. */
function wrap(text: string, indent: number): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width - indent) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].join(`\n${' '.repeat(indent)}`)
}

function rows(pairs: readonly (readonly [string, string])[]): string {
  const left = Math.max(...pairs.map(([name]) => name.length))
  return pairs.map(([name, text]) => `  ${name.padEnd(left)}  ${wrap(text, left + 4)}\n`).join('')
}

export function argumentText({ name, optional, several }: Argument): string {
  const text = `<${name}>${several ? '...' : ''}`
  return optional ? `[${text}]` : text
}

export function flagText(flag: Flag): string {
  return flag.kind === 'switch' ? `--${flag.name}` : `--${flag.name} ${flag.value}`
}

export function usageOf({ path, args, flags }: Command): string {
  const required = flags.filter(flag => flag.required).map(flagText)
  const optional = flags.some(flag => !flag.required) ? ['[flags]'] : []
  return ['countersign', ...path, ...args.map(argumentText), ...required, ...optional].join(' ')
}

/** A section, or nothing where it would be empty. */
function section(title: string, pairs: readonly (readonly [string, string])[]): string {
  return pairs.length === 0 ? '' : `\n${title}\n${rows(pairs)}`
}

export function commandHelp(command: Command): string {
  const { summary, details, args, flags, examples } = command
  const own = flags.filter(flag => !gatewayFlags.includes(flag))
  const shared = flags.filter(flag => gatewayFlags.includes(flag))
  return `${usageOf(command)}

${wrap(details === undefined ? summary : `${summary} ${details}`, 0)}
${section(
  'Arguments',
  args.map(each => [argumentText(each), each.summary])
)}${section(
  'Flags',
  own.map(each => [flagText(each), each.summary])
)}${section(
  'The gateway',
  shared.map(each => [flagText(each), each.summary])
)}
Example${examples.length > 1 ? 's' : ''}
${examples.map(each => `  ${each}\n`).join('')}`
}

export function nounHelp(noun: string): string {
  const verbs = table.filter(({ path }) => path[0] === noun)
  const [first] = verbs
  return `countersign ${noun} <verb>
${section(
  'Verbs',
  verbs.map(({ path, summary }) => [path[1] ?? '', summary])
)}
Example
  ${first?.examples[0] ?? ''}

More: countersign ${noun} <verb> --help
`
}

const nounSummaries: Readonly<Record<string, string>> = {
  clients: 'Who may connect, and to what.',
  keys: "Clients' keys: rotate and revoke.",
  licenses: 'Licenses, their hardware ids, import and export.',
  tokens: 'API tokens for backends.',
  tickets: 'Short-lived credentials.',
  sessions: 'Who is on.',
  audit: 'Who did what when.'
}

export function generalHelp(version: string): string {
  const nouns = [...new Set(table.map(({ path }) => path[0]))]
  const commands = nouns.map((noun): readonly [string, string] => {
    const verbs = table.filter(({ path }) => path[0] === noun)
    const [first] = verbs
    if (first?.path.length === 1) return [noun, first.summary]
    return [noun, `${nounSummaries[noun] ?? ''} (${verbs.map(({ path }) => path[1]).join(', ')})`]
  })
  return `countersign ${version}: a gateway for signed, replay-proof, two-way messages

  countersign [serve] [flags]            run a gateway
  countersign <command> [verb] [flags]   look after a running one
  countersign help <command> [verb]      what it takes, with an example; also --help
  countersign version
${section('Commands', commands)}${section(
  'The gateway that a command talks to',
  gatewayFlags.map(each => [flagText(each), each.summary])
)}
Example
  countersign clients create game-1 --save game-1.json
  countersign licenses create shop --max-hwids 2
  countersign connect --credential game-1.json

Exit codes: 0 good; 1 refused or failed, and stderr says what to do; 2 not understood; 130 interrupted.
`
}
