import { type Command, type Flag, UsageError } from './command.js'
import { nearest } from './nearest.js'
import { parseDuration, parseTime } from './times.js'

/** From a command's arguments to checked values. */

type Value = boolean | string | number | null | readonly string[] | Readonly<Record<string, string>>

function count(text: string, flag: Flag & { min: number; max: number }, value: number): number {
  if (!Number.isSafeInteger(value) || value < flag.min || value > flag.max) {
    throw new UsageError(`--${flag.name}: from ${flag.min} to ${flag.max}, not ${JSON.stringify(text)}`)
  }
  return value
}

/** One value of a flag. The text of a secret is in no message: only flags with bounds repeat what they were given. */
function readValue(flag: Flag, text: string, before: Value | undefined): Value {
  switch (flag.kind) {
    case 'switch':
      return true
    case 'text':
      if (flag.choices !== undefined && !flag.choices.includes(text)) {
        throw new UsageError(`--${flag.name}: one of ${flag.choices.join(', ')}`)
      }
      return text
    case 'integer':
      if (flag.orNone && text === 'none') return null
      return count(text, flag, /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN)
    case 'seconds':
      return count(text, flag, parseDuration(text) ?? Number.NaN)
    case 'time': {
      if (flag.orNone && text === 'none') return null
      const time = parseTime(text)
      if (time === undefined) {
        throw new UsageError(`--${flag.name}: a time like 2030-01-31 or 2030-01-31T12:00:00Z, with its zone`)
      }
      return time
    }
    case 'list': {
      const items = text
        .split(',')
        .map(each => each.trim())
        .filter(each => each !== '')
      const stranger = items.find(each => flag.choices?.includes(each) === false)
      if (stranger !== undefined) {
        throw new UsageError(`--${flag.name}: ${JSON.stringify(stranger)} is none of ${flag.choices?.join(', ')}`)
      }
      return Array.isArray(before) ? [...before, ...items] : items
    }
    case 'pairs': {
      const at = text.indexOf('=')
      if (at < 1) throw new UsageError(`--${flag.name}: name=value`)
      const pair = [[text.slice(0, at), text.slice(at + 1)]]
      const others = typeof before === 'object' && before !== null && !Array.isArray(before) ? before : {}
      return Object.fromEntries([...Object.entries(others), ...pair])
    }
  }
}

/** What a command was given, by name. */
export class Values {
  readonly #flags: readonly Flag[]
  readonly #values = new Map<string, Value>()
  readonly #args = new Map<string, readonly string[]>()

  /** @throws UsageError */
  constructor(command: Command, args: readonly string[]) {
    this.#flags = command.flags
    const positionals: string[] = []
    for (let i = 0; i < args.length; i++) {
      const arg = args[i] ?? ''
      if (arg === '--') {
        positionals.push(...args.slice(i + 1))
        break
      }
      // A single dash begins an argument: a session's id may, and there are no short flags but -h.
      if (!arg.startsWith('--')) positionals.push(arg)
      else if (this.#take(arg, args[i + 1])) i++
    }
    this.#place(command, positionals)
    const missing = this.#flags.find(flag => flag.required && !this.#values.has(flag.name))
    if (missing !== undefined) throw new UsageError(`--${missing.name} is missing: ${missing.summary}`)
  }

  /** @returns whether the next argument was its value */
  #take(arg: string, next: string | undefined): boolean {
    const [, name = '', inline] = /^--([^=]*)(?:=([\s\S]*))?$/.exec(arg) ?? []
    const flag = this.#flags.find(each => each.name === name)
    if (flag === undefined) {
      const near = nearest(
        name,
        this.#flags.map(each => each.name)
      )
      throw new UsageError(`there is no flag --${name} here${near === undefined ? '' : `; there is --${near}`}`)
    }
    if (flag.kind === 'switch') {
      if (inline !== undefined) throw new UsageError(`--${name} takes no value`)
      this.#values.set(name, true)
      return false
    }
    const text = inline ?? next
    if (text === undefined || (inline === undefined && text.startsWith('--'))) {
      throw new UsageError(`--${name} needs a value: ${flag.value}`)
    }
    const single = flag.kind !== 'list' && flag.kind !== 'pairs'
    if (single && this.#values.has(name)) throw new UsageError(`--${name} is given twice`)
    this.#values.set(name, readValue(flag, text, this.#values.get(name)))
    return inline === undefined
  }

  #place({ args }: Command, positionals: readonly string[]): void {
    const rest = [...positionals]
    for (const { name, summary, optional, several } of args) {
      const taken = rest.splice(0, several ? rest.length : 1)
      if (taken.length === 0 && !optional) throw new UsageError(`<${name}> is missing: ${summary}`)
      if (taken.includes('')) throw new UsageError(`<${name}> is empty`)
      this.#args.set(name, taken)
    }
    if (rest.length > 0) throw new UsageError(`too many arguments: ${rest.length} more than it takes`)
  }

  /** An argument that must be there. */
  arg(name: string): string {
    const [text] = this.#args.get(name) ?? []
    if (text === undefined) throw new UsageError(`<${name}> is missing`)
    return text
  }

  /** An argument that may be absent, or be several. */
  args(name: string): readonly string[] {
    return this.#args.get(name) ?? []
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name)
    return typeof value === 'string' ? value : undefined
  }

  number(name: string): number | undefined {
    const value = this.#values.get(name)
    return typeof value === 'number' ? value : undefined
  }

  /** The request's body, from the flags that fill a member of it. */
  body(): Record<string, unknown> {
    return Object.fromEntries(
      this.#flags.flatMap(({ name, member }) =>
        member !== undefined && this.#values.has(name) ? [[member, this.#values.get(name)]] : []
      )
    )
  }
}
