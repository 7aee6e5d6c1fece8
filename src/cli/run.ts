import { ConfigError } from '../config/load.js'
import { type Command, type Context, Failure, Interrupted, type Io, UsageError } from './command.js'
import { gatherSources, lookUp } from './flags.js'
import { openGateway } from './gateway.js'
import { commandHelp, generalHelp, nounHelp } from './help.js'
import { nearest } from './nearest.js'
import { note, write } from './output.js'
import { table } from './table.js'
import { Values } from './values.js'
import { version } from './version.js'

/** Finds the command, reads its arguments, runs it, and turns what goes wrong into a line and an exit code. */

const exitUsage = 2
/** What shells say of a program that SIGINT ended. */
const exitInterrupted = 130

type Found =
  | { readonly kind: 'command'; readonly command: Command; readonly rest: readonly string[] }
  | { readonly kind: 'noun'; readonly noun: string; readonly rest: readonly string[] }
  | { readonly kind: 'unknown'; readonly name: string }

function find([first = 'serve', ...rest]: readonly string[]): Found {
  if (first.startsWith('-')) return find(['serve', first, ...rest])
  const [second, ...others] = rest
  const single = table.find(({ path }) => path.length === 1 && path[0] === first)
  if (single !== undefined) return { kind: 'command', command: single, rest }
  const verbs = table.filter(({ path }) => path[0] === first)
  if (verbs.length === 0) return { kind: 'unknown', name: first }
  const command = verbs.find(({ path }) => path[1] === second)
  if (command !== undefined) return { kind: 'command', command, rest: others }
  if (second === undefined || second.startsWith('-')) return { kind: 'noun', noun: first, rest }
  return { kind: 'unknown', name: `${first} ${second}` }
}

/** Whether help is asked for, before a `--` that ends the flags. */
function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return args.slice(0, end === -1 ? args.length : end).some(arg => arg === '--help' || arg === '-h')
}

/** Verbs of other programs, and what they are called here. */
const synonyms: Readonly<Record<string, string>> = {
  ...{ add: 'create', new: 'create', issue: 'create', rotate: 'create', ls: 'list', get: 'show', info: 'show' },
  ...{ edit: 'update', set: 'update', rm: 'delete', remove: 'delete', kill: 'end', log: 'list' }
}

/** The command that was most likely meant. */
function meantBy(name: string): string | undefined {
  const [noun = '', verb] = name.split(' ')
  if (verb === undefined) {
    return nearest(
      noun,
      table.map(({ path }) => path[0])
    )
  }
  const verbs = table.flatMap(({ path }) => (path[0] === noun && path[1] !== undefined ? [path[1]] : []))
  const same = verbs.find(each => each === synonyms[verb]) ?? nearest(verb, verbs)
  return same === undefined ? undefined : `${noun} ${same}`
}

async function unknown(io: Io, name: string): Promise<number> {
  const meant = meantBy(name)
  const hint = meant === undefined ? '' : ` There is: countersign ${meant}.`
  await note(io, `countersign: there is no command ${JSON.stringify(name)}.${hint} Try: countersign help`)
  return exitUsage
}

async function help(io: Io, words: readonly string[]): Promise<number> {
  const [first] = words
  if (first === undefined) {
    await write(io.stdout, generalHelp(version()))
    return 0
  }
  const found = find(words)
  if (found.kind === 'unknown') return unknown(io, found.name)
  await write(io.stdout, found.kind === 'noun' ? nounHelp(found.noun) : commandHelp(found.command))
  return 0
}

async function runFound(command: Command, rest: readonly string[], io: Io): Promise<number> {
  const values = new Values(command.raw ? { ...command, args: [], flags: [] } : command, command.raw ? [] : rest)
  let sources: ReturnType<typeof gatherSources> | undefined
  const settings = (name: string) => {
    sources ??= gatherSources([], io.env)
    return lookUp(sources, name)
  }
  const context: Context = { io, values, raw: rest, gateway: openGateway(io, values, settings) }
  return (await command.run(context)) ?? 0
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE'
}

/**
 * Runs one command line.
 * @param args  what follows the program's name
 * @returns the exit code: 0 good, 1 could not, 2 not understood, 130 interrupted
 */
export async function runCommand(args: readonly string[], io: Io): Promise<number> {
  const [first, ...words] = args
  if (first === 'version' || first === '--version') {
    await write(io.stdout, `${version()}\n`)
    return 0
  }
  if (first === 'help') return help(io, words)
  if (wantsHelp(args))
    return help(
      io,
      args.slice(
        0,
        args.findIndex(arg => arg.startsWith('-'))
      )
    )
  const found = find(args)
  if (found.kind === 'unknown') return unknown(io, found.name)
  if (found.kind === 'noun') {
    await write(io.stderr, nounHelp(found.noun))
    return exitUsage
  }
  const { command, rest } = found
  try {
    return await runFound(command, rest, io)
  } catch (error) {
    // Whoever reads us has read enough, `| head` say.
    if (isBrokenPipe(error)) return 0
    if (error instanceof UsageError) {
      await note(io, `countersign: ${error.message}. Try: countersign ${command.path.join(' ')} --help`)
      return exitUsage
    }
    if (error instanceof Failure || error instanceof ConfigError) {
      await note(io, `countersign: ${error.message}`)
      return error instanceof Interrupted ? exitInterrupted : 1
    }
    throw error
  }
}
