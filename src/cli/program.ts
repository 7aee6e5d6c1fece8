import { Command, type OutputConfiguration, type ParseOptionsResult } from 'commander'
import type { CommandSpec } from './command.js'
import { commands, nounSummaries } from './commands/index.js'
import { completionScript, shells } from './completion.js'
import { UsageError } from './errors.js'
import { settingOptions } from './options.js'
import { write } from './output.js'
import { toUsageError } from './usage-errors.js'
import { version } from './version.js'

/** The command line as a program of commander, built from the commands' specifications. */

const helpWidth = 100

/** A command with an action of its own, as opposed to a noun that has verbs. */
export class RunnableCommand extends Command {
  readonly spec: CommandSpec

  constructor(name: string, spec: CommandSpec) {
    super(name)
    this.spec = spec
  }

  /**
   * Stricter than commander: a value never starts with `--` unless it follows `=`, and no error quotes a value.
   * Anything with a single dash is an argument, because a session id may start with one.
   * @throws UsageError
   */
  override parseOptions(argv: string[]): ParseOptionsResult {
    const end = argv.includes('--') ? argv.indexOf('--') : argv.length
    const operands: string[] = []
    const options: string[] = []
    for (let i = 0; i < end; i++) {
      const arg = argv[i] ?? ''
      const [, name, inline] = /^(--[^=]+)(?:=([\s\S]*))?$/.exec(arg) ?? []
      const option = this.options.find(({ long }) => long === name)
      if (name === undefined && arg !== '-h') operands.push(arg)
      else if (option?.required) {
        const value = inline ?? argv[++i]
        if (value === undefined || i >= end || (inline === undefined && value.startsWith('--'))) {
          throw new UsageError(`option '${option.flags}' needs a value`)
        }
        options.push(`${name}=${value}`)
      } else if (option !== undefined && inline !== undefined) throw new UsageError(`option '${name}' takes no value`)
      else options.push(name ?? arg)
    }
    return super.parseOptions([...options, '--', ...operands, ...argv.slice(end + 1)])
  }
}

const completionCommand: CommandSpec = {
  usage: 'completion <shell>',
  summary: 'Print a script that completes commands and options in your shell.',
  args: { shell: shells.join(', ') },
  examples: [
    'source <(countersign completion bash)',
    'countersign completion zsh > ~/.zfunc/_countersign',
    'countersign completion fish > ~/.config/fish/completions/countersign.fish'
  ],
  async run({ io, args }) {
    await write(io.stdout, completionScript(args['shell'] ?? '', buildProgram()))
    return 0
  }
}

/** The words of a command, e.g. `countersign clients create`. */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`
}

function addTo<T extends Command>(parent: Command, command: T): T {
  command.copyInheritedSettings(parent).helpCommand(false)
  command.exitOverride(error => {
    throw error.code.startsWith('commander.help') ? error : toUsageError(error, command)
  })
  parent.addCommand(command)
  return command
}

function examplesText(examples: readonly string[]): string {
  return `\nExample${examples.length > 1 ? 's' : ''}:\n${examples.map(example => `  ${example}\n`).join('')}`
}

/** The noun's own command, which only shows help. */
function nounOf(program: Command, noun: string): Command {
  const existing = program.commands.find(each => each.name() === noun)
  if (existing !== undefined) return existing
  const command = addTo(program, new Command(noun)).commandsGroup('Verbs:').usage('<verb>')
  command.description(nounSummaries[noun] ?? '')
  return command.addHelpText('after', `\nMore: countersign ${noun} <verb> --help`)
}

function addRunnable(program: Command, spec: CommandSpec): void {
  const [, path = '', args = ''] = /^([a-z][a-z -]*[a-z]) ?(.*)$/.exec(spec.usage) ?? []
  const [first = '', verb] = path.split(' ')
  const parent = verb === undefined ? program : nounOf(program, first)
  const command = addTo(parent, new RunnableCommand(verb ?? first, spec))
  command.summary(spec.summary).description([spec.summary, spec.details ?? ''].join(' ').trim())
  for (const arg of args.split(' ').filter(each => each !== '')) {
    command.argument(arg, spec.args?.[arg.replace(/[^\w]/g, '')])
  }
  for (const option of [...(spec.takesSettings ? settingOptions : []), ...(spec.options ?? [])]) {
    command.addOption(option)
  }
  // Commander's own usage does not show which options are required.
  const required = command.options.filter(option => option.mandatory).map(({ flags }) => `${flags} `)
  command.usage(`${required.join('')}[options] ${args}`.trim())
  command.addHelpText('after', examplesText(spec.examples))
}

const generalHelp = `${examplesText([
  'countersign clients create game-1 --save game-1.json',
  'countersign licenses create shop --max-hwids 2',
  'countersign connect --credential game-1.json'
])}
Commands find a gateway on this machine by themselves; --url, --token and --data-dir name another one.
More: countersign help <command> [verb], or --help after any command.
Exit codes: 0 success; 1 refused or failed, and stderr says what to do; 2 wrong usage (serve, doctor, config: 1); 130 interrupted.`

/** @param output  receives commander's output; by default nothing is printed */
export function buildProgram(output: OutputConfiguration = {}): Command {
  const program = new Command('countersign')
  program
    .description(`countersign ${version()}: a gateway for signed, replay-proof, two-way messages`)
    .usage(
      '[serve] [options]              run a gateway\n       countersign <command> [verb] [options]   manage a running one'
    )
    .helpCommand(false)
    .configureHelp({
      helpWidth,
      subcommandTerm: command => command.name(),
      subcommandDescription: command => {
        const verbs = command.commands.map(each => each.name()).join(', ')
        return verbs === '' ? command.summary() : `${command.description()} (${verbs})`
      }
    })
    .configureOutput({ ...output, outputError: () => {} })
    .exitOverride(error => {
      throw error.code.startsWith('commander.help') ? error : toUsageError(error, program)
    })
    .addHelpText('after', generalHelp)
  for (const spec of [...commands, completionCommand]) addRunnable(program, spec)
  return program
}
