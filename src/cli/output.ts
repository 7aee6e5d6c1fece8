import type { Invocation, Io, Output } from './command.js'
import { isRecord } from './json.js'
import { shortTime } from './times.js'

/** Output for people: tables, lists and colors. With `--json`, the gateway's JSON is printed unchanged instead. */

/** Resolves when the text is written, so that a slow reader slows down the command instead of filling memory. */
export function write(stream: Output, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, error => (error == null ? resolve() : reject(error)))
  })
}

export function printLine(io: Io, text: string): Promise<void> {
  return write(io.stdout, `${text}\n`)
}

/** Prints a line on stderr. A closed stderr does not stop the command. */
export function note(io: Io, text: string): Promise<void> {
  return write(io.stderr, `${text}\n`).catch(() => {})
}

export function printJson(io: Io, value: unknown): Promise<void> {
  return printLine(io, JSON.stringify(value, null, 2))
}

/** Prints the result of a command: as JSON with `--json`, otherwise as a line. */
export function printDone({ io, options }: Invocation, answer: unknown, text: string): Promise<void> {
  return options.json ? printJson(io, answer) : printLine(io, text)
}

/**
 * Escapes control and bidirectional characters: names, hwids and attributes come from clients, and must not move the
 * cursor, change colors or reverse text.
 */
export function clean(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it removes
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
}

const styles = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39] } as const

export type Painter = (style: keyof typeof styles, text: string) => string

/** Adds colors, only on a terminal and never with NO_COLOR (https://no-color.org). */
export function painter(stream: Output, env: Io['env']): Painter {
  const plain = !stream.isTTY || (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb'
  return (style, text) => (plain ? text : `\u001b[${styles[style][0]}m${text}\u001b[${styles[style][1]}m`)
}

const isoTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/

/** Formats any member of an answer as one cell. */
export function cell(value: unknown): string {
  if (value === undefined || value === null) return '-'
  if (typeof value === 'string') return value === '' ? '-' : clean(isoTime.test(value) ? shortTime(value) : value)
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(cell).join(',')
  if (isRecord(value)) {
    const pairs = Object.entries(value).map(([name, each]) => `${clean(name)}=${cell(each)}`)
    return pairs.length === 0 ? '-' : pairs.join(' ')
  }
  return String(value)
}

export interface Column {
  readonly title: string
  readonly of: (row: Readonly<Record<string, unknown>>) => unknown
}

/** Columns by title: the name of a member, or a function of the row. */
export function columns(titles: Readonly<Record<string, string | Column['of']>>): readonly Column[] {
  return Object.entries(titles).map(([title, of]) => ({ title, of: typeof of === 'string' ? row => row[of] : of }))
}

/** Prints pages of one table: the titles come once, and the columns only get wider. */
export function tablePrinter(io: Io, cols: readonly Column[]) {
  const widths = cols.map(({ title }) => title.length)
  const paint = painter(io.stdout, io.env)
  let started = false

  function line(cells: readonly string[]): string {
    return cells
      .map((text, i) => (i === cells.length - 1 ? text : text.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()
  }

  return async (rows: readonly unknown[]): Promise<void> => {
    const cells = rows.filter(isRecord).map(row => cols.map(({ of }) => cell(of(row))))
    for (const row of cells) {
      for (const [i, text] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, text.length)
    }
    const lines = cells.map(line)
    if (!started) lines.unshift(paint('bold', line(cols.map(({ title }) => title))))
    started = true
    await write(io.stdout, lines.map(each => `${each}\n`).join(''))
  }
}

/** Prints the members of one object that are in `names`, one a line in that order; absent ones are left out. */
export async function printMembers(
  io: Io,
  thing: Readonly<Record<string, unknown>>,
  names: readonly string[]
): Promise<void> {
  const shown = names.filter(name => thing[name] !== undefined)
  const width = Math.max(...shown.map(name => name.length))
  const paint = painter(io.stdout, io.env)
  const lines = shown.map(name => `${paint('dim', name.padEnd(width))}  ${cell(thing[name])}\n`)
  await write(io.stdout, lines.join(''))
}
