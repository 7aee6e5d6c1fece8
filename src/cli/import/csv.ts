/**
 * CSV by RFC 4180, and as spreadsheets write it: with a byte order mark, with LF or CRLF. What the RFC leaves open is
 * refused, so that a broken file is never half understood.
 */

export interface CsvRecord {
  /** Where it begins, from 1. */
  readonly line: number
  readonly fields: readonly string[]
}

/** The file is no CSV from this line on. */
export class CsvFault extends Error {
  override readonly name = 'CsvFault'
  readonly line: number

  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

const plain = /([^",\r\n]*)(,|\r?\n|$)/y
const separator = /,|\r?\n|$/y

interface Field {
  readonly text: string
  /** The comma, the line end, or nothing at the end of the text. */
  readonly end: string
  /** Where the next one begins. */
  readonly next: number
}

/** A quoted field, found by searching: an expression would take a step back for every quote in a broken file. */
function readQuoted(text: string, at: number, line: number): Field {
  let close = text.indexOf('"', at + 1)
  while (close !== -1 && text[close + 1] === '"') close = text.indexOf('"', close + 2)
  if (close === -1) throw new CsvFault(line, 'a quote is never closed')
  separator.lastIndex = close + 1
  const end = separator.exec(text)?.[0]
  if (end === undefined) throw new CsvFault(line, 'text follows the closing quote of a field')
  return { text: text.slice(at + 1, close).replaceAll('""', '"'), end, next: separator.lastIndex }
}

function readField(text: string, at: number, line: number): Field {
  if (text[at] === '"') return readQuoted(text, at, line)
  plain.lastIndex = at
  const match = plain.exec(text)
  if (match === null) {
    throw new CsvFault(line, 'a quote or a lone carriage return stands in a field that is not quoted')
  }
  return { text: match[1] ?? '', end: match[2] ?? '', next: plain.lastIndex }
}

/**
 * @returns the records in order; empty lines are passed over
 * @throws CsvFault
 */
export function* parseCsv(source: string): Generator<CsvRecord> {
  const text = source.replace(/^\ufeff/, '')
  let [at, line, start] = [0, 1, 1]
  let fields: string[] = []
  while (at < text.length) {
    const field = readField(text, at, line)
    const whole = text.slice(at, field.next)
    fields.push(field.text)
    line += whole.split('\n').length - 1
    at = field.next
    if (field.end === ',') {
      if (at < text.length) continue
      // A comma at the very end: one more field, which is empty.
      fields.push('')
    }
    const isEmptyLine = fields.length === 1 && whole === field.end
    if (!isEmptyLine) yield { line: start, fields }
    fields = []
    start = line
  }
}

/** One record; what needs quotes gets them. */
export function formatCsv(fields: readonly string[]): string {
  return `${fields.map(each => (/[",\r\n]/.test(each) ? `"${each.replaceAll('"', '""')}"` : each)).join(',')}\r\n`
}
