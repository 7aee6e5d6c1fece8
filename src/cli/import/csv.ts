import { CsvError, parse } from 'csv-parse/sync'
import { stringify } from 'csv-stringify/sync'

/**
 * CSV by RFC 4180, and as spreadsheets write it: with a byte order mark, with LF or CRLF. Undefined cases of the RFC
 * are errors, because a misread file would create wrong keys.
 */

export interface CsvRecord {
  /** Where it starts, from 1. */
  readonly line: number
  readonly fields: readonly string[]
}

/** The file is not CSV from this line on. The message contains nothing from the file. */
export class CsvFault extends Error {
  override readonly name = 'CsvFault'
  readonly line: number

  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

const messages: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote is never closed',
  CSV_INVALID_CLOSING_QUOTE: 'text follows the closing quote of a field',
  INVALID_OPENING_QUOTE: 'there is a quote in a field that is not quoted'
}

function count(text: string, char: string): number {
  return text.split(char).length - 1
}

/** Carriage returns that are neither quoted nor part of a line end: csv-parse treats them as text. */
function hasLoneCarriageReturn(fields: readonly string[], raw: string): boolean {
  const text = fields.join('')
  return text.includes('\r') && count(text, '\r') > count((raw.match(/"[^"]*"/g) ?? []).join(''), '\r')
}

/**
 * Calls back with each record in order, so that records in front of a fault are still seen; skips empty lines.
 * @throws CsvFault, and errors of `onRecord`
 */
export function parseCsv(text: string, onRecord: (record: CsvRecord) => void): void {
  const bytes = Buffer.from(text)
  let line = 1
  try {
    parse(bytes, {
      bom: true,
      record_delimiter: ['\r\n', '\n'],
      relax_column_count: true,
      raw: true,
      // The declared type does not know that `raw` changes the record.
      on_record(record) {
        const { record: fields, raw } = record as unknown as { record: string[]; raw: string }
        const start = line
        // `raw` ends in the first character of the line end.
        line += count(raw.slice(0, -1), '\n') + 1
        if (hasLoneCarriageReturn(fields, raw)) {
          throw new CsvFault(start, 'there is a lone carriage return in a field that is not quoted')
        }
        if (!/^[\r\n]?$/.test(raw)) onRecord({ line: start, fields })
        return null
      }
    })
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    // It knows where the faulty field starts in bytes. Its line numbers count a quoted CRLF twice.
    const before = bytes.subarray(0, Number(error['bytes'])).toString()
    throw new CsvFault(count(before, '\n') + 1, messages[error.code] ?? 'not CSV')
  }
}

/** Records with CRLF; fields are quoted where needed. */
export function formatCsv(records: readonly (readonly string[])[]): string {
  return stringify(
    records.map(fields => [...fields]),
    { record_delimiter: 'windows', quoted_match: /[\r\n]/ }
  )
}
