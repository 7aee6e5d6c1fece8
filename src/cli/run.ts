import { type Command, CommanderError } from 'commander'
import { ConfigError } from '../config/load.js'
import { lookUp, readSources, type Sources } from '../config/sources.js'
import type { Io } from './command.js'
import { codeOf, Failure, Interrupted, UsageError } from './errors.js'
import { Gateway } from './gateway.js'
import { settingsOf } from './options.js'
import { note, write } from './output.js'
import { buildProgram, pathOf, RunnableCommand } from './program.js'
import { version } from './version.js'

/** Finds the command, checks its arguments, runs it, and turns failures into one message and an exit code. */

const exitUsage = 2
/** Shells report the same for a program that SIGINT ended. */
const exitInterrupted = 130

function isHelp(arg: string): boolean {
  return arg === '--help' || arg === '-h'
}

/** `countersign` alone runs `serve`, and `help` in front is `--help` at the end. */
function expand(args: readonly string[]): string[] {
  const [first, ...rest] = args
  if (first === 'help') return [...rest, '--help']
  return first === undefined || (first.startsWith('-') && !isHelp(first)) ? ['serve', ...args] : [...args]
}

/** `client list` can only mean `clients list`. */
function withPluralNoun({ commands }: Command, argv: readonly string[]): string[] {
  const [first, ...rest] = argv
  const plural = commands.some(each => each.name() === first) ? undefined : `${first}s`
  return plural !== undefined && commands.some(each => each.name() === plural) ? [plural, ...rest] : [...argv]
}

interface Target {
  /** The words for commander. */
  readonly argv: string[]
  /** The deepest command that the names lead to. */
  readonly command: Command
}

/** Reports a wrong name before anything else, and shows help in spite of every other mistake. */
function findTarget(program: Command, args: readonly string[]): Target {
  const argv = withPluralNoun(program, expand(args))
  const end = argv.findIndex(arg => arg.startsWith('-'))
  const names = end === -1 ? argv : argv.slice(0, end)
  let command = program
  for (const name of names) {
    if (command instanceof RunnableCommand) break
    const next = command.commands.find(each => each.name() === name)
    if (next === undefined) return { argv: names, command }
    command = next
  }
  const flags = argv.slice(names.length, argv.includes('--') ? argv.indexOf('--') : argv.length)
  return { argv: flags.some(isHelp) ? [...names, '--help'] : argv, command }
}

async function run(command: RunnableCommand, io: Io): Promise<number> {
  const { spec, registeredArguments, processedArgs } = command
  const args: Record<string, string> = {}
  let repeated: readonly string[] = []
  for (const [i, argument] of registeredArguments.entries()) {
    const value: string | string[] | undefined = processedArgs[i]
    if ([value].flat().includes('')) throw new UsageError(`argument '${argument.name()}' is empty`)
    if (Array.isArray(value)) repeated = value
    else if (value !== undefined) args[argument.name()] = value
  }
  let sources: Sources | undefined
  const settings = () => {
    sources ??= readSources(spec.takesSettings ? settingsOf(command) : {}, io.env)
    return sources
  }
  const options = command.opts()
  // `serve`, `config` and `doctor` report the faults of .env with all others.
  const lookUpSetting = (name: string) => {
    const { fileFaults } = settings()
    if (fileFaults.length > 0) throw new ConfigError(fileFaults)
    const fault = settings().secretFiles[name]?.fault
    if (fault !== undefined) throw new ConfigError([fault])
    return lookUp(settings(), name)
  }
  const gateway = new Gateway(io, options, lookUpSetting)
  return (await spec.run({ io, args, repeated, options, settings, gateway })) ?? 0
}

/** Reports a failure on stderr. @returns the exit code */
async function report(error: unknown, command: Command, io: Io): Promise<number> {
  // The reader of our output has closed it, as `| head` does.
  if (codeOf(error) === 'EPIPE') return 0
  if (error instanceof UsageError) {
    const help = command.parent === null ? 'countersign help' : `${pathOf(command)} --help`
    await note(io, `countersign: ${error.message.replace(/\.+$/, '')}. Try: ${help}`)
    return command instanceof RunnableCommand && command.spec.takesSettings ? 1 : exitUsage
  }
  if (!(error instanceof Failure || error instanceof ConfigError)) throw error
  await note(io, `countersign: ${error.message}`)
  return error instanceof Interrupted ? exitInterrupted : 1
}

/**
 * Runs one command line.
 * @param args  the words after the program's name
 * @returns the exit code: 0 success, 1 failure, 2 wrong usage, 130 interrupted
 */
export async function runCommand(args: readonly string[], io: Io): Promise<number> {
  if (args[0] === 'version' || args[0] === '--version') {
    await write(io.stdout, `${version()}\n`)
    return 0
  }
  const printed = { out: '', err: '' }
  const program = buildProgram({
    writeOut: text => {
      printed.out += text
    },
    writeErr: text => {
      printed.err += text
    }
  })
  const { argv, command } = findTarget(program, args)
  try {
    program.parse(argv, { from: 'user' })
    return command instanceof RunnableCommand ? await run(command, io) : exitUsage
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(error, command, io)
    await write(io.stdout, printed.out)
    await write(io.stderr, printed.err)
    return error.exitCode === 0 ? 0 : exitUsage
  }
}
