import { type Command, Option } from 'commander'
import { settingsSchema } from '../config/schema.js'
import { flagOf, type SettingTexts } from '../config/sources.js'
import { UsageError } from './errors.js'
import { parseDuration, parseTime } from './times.js'

/** Options and the checks of their values. Errors quote a value only if it cannot be a secret: numbers and choices. */

/** @throws UsageError when `text` is not a valid value */
type Check<T> = (text: string, option: Option) => T

/** An option with a value that may be given once. */
function single<T>(flags: string, summary: string, check: Check<T>): Option {
  const option = new Option(flags, summary)
  return option.argParser<T>((text, previous: T | undefined) => {
    if (previous !== undefined) throw new UsageError(`${option.long} is given twice`)
    return check(text, option)
  })
}

export function toggle(flags: string, summary: string): Option {
  return new Option(flags, summary)
}

export function text(flags: string, summary: string, choices?: readonly string[]): Option {
  return single(flags, summary, (value, { long }) => {
    if (choices?.includes(value) === false) throw new UsageError(`${long}: must be one of ${choices.join(', ')}`)
    return value
  })
}

interface Range {
  readonly min: number
  readonly max: number
}

function inRange(value: number | undefined, given: string, { min, max }: Range, { long }: Option): number {
  if (value === undefined || value < min || value > max) {
    throw new UsageError(`${long}: must be from ${min} to ${max}, not ${JSON.stringify(given)}`)
  }
  return value
}

export function integer(flags: string, summary: string, range: Range): Option {
  return single(flags, summary, (value, option) =>
    inRange(/^\d{1,15}$/.test(value) ? Number(value) : undefined, value, range, option)
  )
}

/** A number of seconds, or a number followed by s, m, h or d. The range is in seconds. */
export function seconds(flags: string, summary: string, range: Range): Option {
  return single(flags, summary, (value, option) => inRange(parseDuration(value), value, range, option))
}

/** A date, or a date and time with a zone; its value is ISO 8601. */
export function time(flags: string, summary: string): Option {
  return single(flags, summary, (value, { long }) => {
    const iso = parseTime(value)
    if (iso === undefined) {
      throw new UsageError(`${long}: must be a time like 2030-01-31 or 2030-01-31T12:00:00Z, with its zone`)
    }
    return iso
  })
}

/** The value of an option that was given as `none`. Commander turns a plain null into an empty text. */
export const none = Symbol('none')

/** Lets `none` remove a limit or date. */
export function orNone(option: Option): Option {
  const { parseArg: check } = option
  return option.argParser((value: string, previous: unknown) => (value === 'none' ? none : check?.(value, previous)))
}

/** Values separated by commas; repeating the option adds to them. */
export function list(flags: string, summary: string, choices?: readonly string[]): Option {
  const option = new Option(flags, summary)
  return option.argParser((value, previous: readonly string[] = []) => {
    const items = value
      .split(',')
      .map(item => item.trim())
      .filter(item => item !== '')
    const unknown = items.find(item => choices?.includes(item) === false)
    if (unknown !== undefined) {
      throw new UsageError(`${option.long}: ${JSON.stringify(unknown)} is none of ${choices?.join(', ')}`)
    }
    return [...previous, ...items]
  })
}

/** `name=value`; repeating the option adds pairs. */
function pairs(flags: string, summary: string): Option {
  const option = new Option(flags, summary)
  return option.argParser((value, previous: Readonly<Record<string, string>> = {}) => {
    const at = value.indexOf('=')
    if (at < 1) throw new UsageError(`${option.long}: must be name=value`)
    // Not a spread of literals: an attribute may be named __proto__.
    return Object.fromEntries([...Object.entries(previous), [value.slice(0, at), value.slice(at + 1)]])
  })
}

const gatewayGroup = 'The gateway:'

export const jsonOption = toggle('--json', "Print the gateway's answer as JSON.").helpGroup(gatewayGroup)

/** Options of every command that talks to a running gateway. */
export const gatewayOptions: readonly Option[] = [
  text(
    '--url <url>',
    'The running gateway. Default http://127.0.0.1:8080, or by COUNTERSIGN_HOST and COUNTERSIGN_PORT.'
  ),
  text(
    '--token <token>',
    'Its admin token, or an API token. Prefer COUNTERSIGN_ADMIN_TOKEN: others can read a command line.'
  ),
  text('--data-dir <folder>', 'Folder of its admin.token. Default ./data, or COUNTERSIGN_DATA_DIR.'),
  jsonOption
].map(option => option.helpGroup(gatewayGroup))

/** The members of a request that {@link capabilityOptions} fill. */
export const capabilityMembers = ['subscribe', 'publish', 'services', 'call', 'presence'] as const

export const capabilityOptions: readonly Option[] = [
  list('--subscribe <patterns>', 'Channels it may subscribe to, e.g. news,room:*.'),
  list('--publish <patterns>', 'Channels it may publish to.'),
  list('--services <patterns>', 'Services whose licenses it may validate, e.g. shop-*.'),
  list('--call <patterns>', 'Methods it may call, e.g. my-game/kick,lobby/*.'),
  list('--presence <patterns>', 'Channels whose presence it may see.')
]

/** Fills the member `attributes` of a request. */
export const attributeOption = pairs(
  '--attribute <name=value>',
  'A note for operators; may be repeated. Replaces all attributes it had.'
)

const settings: readonly { readonly name: string; readonly option: Option }[] = Object.entries(
  settingsSchema.properties
).map(([name, schema]) => {
  const preset = 'default' in schema && schema.default !== '' ? ` Default ${String(schema.default)}.` : ''
  const summary = `${'description' in schema ? String(schema.description) : ''}${preset}`
  return { name, option: new Option(`--${flagOf(name)} <value>`, summary) }
})

/** The gateway's settings as options. src/config checks their values. */
export const settingOptions: readonly Option[] = settings.map(({ option }) => option)

/** The settings of a command line, by name. */
export function settingsOf(command: Command): SettingTexts {
  const given = settings.map(({ name, option }) => [name, command.getOptionValue(option.attributeName())] as const)
  return Object.fromEntries(given.filter(([, value]) => value !== undefined))
}
