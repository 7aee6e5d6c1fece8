import { isRecord } from '../output.js'
import { CsvFault, type CsvRecord, parseCsv } from './csv.js'

/** From a file's text to licenses as they were written, each with its line. Nothing is judged here but the form. */

export const formats = ['csv', 'json', 'ndjson'] as const
export type Format = (typeof formats)[number]

export interface Fault {
  readonly line: number
  readonly text: string
}

export interface Row {
  readonly line: number
  readonly license: Readonly<Record<string, unknown>>
}

export interface Rows {
  readonly rows: readonly Row[]
  readonly faults: readonly Fault[]
}

const extensions: Readonly<Record<string, Format>> = { csv: 'csv', json: 'json', ndjson: 'ndjson', jsonl: 'ndjson' }

export function formatOf(file: string): Format | undefined {
  return extensions[/\.([a-z]+)$/i.exec(file)?.[1]?.toLowerCase() ?? '']
}

const plainColumns = ['serviceId', 'key', 'maxHwids', 'maxSessions', 'startsAt', 'expiresAt']
const numberColumns = ['maxHwids', 'maxSessions']
const attributeColumn = /^attributes\.(.+)$/

function checkHeader({ fields, line }: CsvRecord): Fault[] {
  if (fields.length === 1 && fields[0]?.includes(';')) {
    return [{ line, text: 'the columns are separated by semicolons: save the file with commas' }]
  }
  const strangers = fields.filter(name => !plainColumns.includes(name) && !attributeColumn.test(name))
  const twice = fields.filter((name, i) => fields.indexOf(name) !== i)
  const missing = ['serviceId', 'key'].filter(name => !fields.includes(name))
  const known = `${plainColumns.join(', ')} and attributes.<name>`
  return [
    // Without a header the first line holds a key: what stands there is not repeated.
    ...(strangers.length > 0
      ? [{ line, text: `the header row names ${strangers.length} unknown columns; known are ${known}` }]
      : []),
    ...(twice.length > 0 ? [{ line, text: 'the header row names a column twice' }] : []),
    ...missing.map(name => ({ line, text: `the header row has no column ${name}` }))
  ]
}

/** An empty cell is a member that is not there. */
function licenseOf(header: readonly string[], fields: readonly string[]): Row['license'] {
  const license: Record<string, unknown> = {}
  const attributes: [string, string][] = []
  for (const [i, name] of header.entries()) {
    const text = fields[i] ?? ''
    const attribute = attributeColumn.exec(name)?.[1]
    if (text === '') continue
    if (attribute !== undefined) attributes.push([attribute, text])
    else license[name] = numberColumns.includes(name) && /^\d{1,15}$/.test(text) ? Number(text) : text
  }
  return attributes.length === 0 ? license : { ...license, attributes: Object.fromEntries(attributes) }
}

function readCsv(text: string): Rows {
  const rows: Row[] = []
  const faults: Fault[] = []
  let header: readonly string[] | undefined
  try {
    for (const record of parseCsv(text)) {
      const { line, fields } = record
      if (header === undefined) {
        header = fields
        faults.push(...checkHeader(record))
        if (faults.length > 0) break
      } else if (fields.length !== header.length) {
        faults.push({ line, text: `${fields.length} fields, but the header row has ${header.length}` })
      } else rows.push({ line, license: licenseOf(header, fields) })
    }
  } catch (error) {
    if (!(error instanceof CsvFault)) throw error
    faults.push({ line: error.line, text: error.message })
  }
  return { rows, faults }
}

function readObject(text: string, line: number): Row | Fault {
  try {
    const license: unknown = JSON.parse(text)
    return isRecord(license) ? { line, license } : { line, text: 'not an object of JSON' }
  } catch {
    return { line, text: 'not JSON' }
  }
}

function sort(read: readonly (Row | Fault)[]): Rows {
  return {
    rows: read.filter(each => 'license' in each),
    faults: read.filter(each => 'text' in each)
  }
}

function readNdjson(text: string): Rows {
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/)
  return sort(lines.flatMap((each, i) => (each.trim() === '' ? [] : [readObject(each, i + 1)])))
}

/** What ends or begins something; a backslash stands in strings only, and takes the next character with it. */
const jsonToken = /\\.|["[\]{},\n]/g

/** The items of an array of JSON that is known to parse, each with the line on which it begins. */
function* splitItems(text: string): Generator<{ readonly line: number; readonly item: string }> {
  let [depth, line, start, startLine] = [0, 1, 0, 1]
  let inString = false
  for (const { 0: token, index } of text.matchAll(jsonToken)) {
    if (token === '"') inString = !inString
    if (inString || token === '"' || token.startsWith('\\')) continue
    if (token === '\n') {
      line++
      if (depth === 1 && text.slice(start, index).trim() === '') startLine = line
      continue
    }
    const opens = token === '[' || token === '{'
    if (opens) depth++
    if (depth === 1 && (token === ',' || token === ']')) {
      const item = text.slice(start, index)
      if (item.trim() !== '') yield { line: startLine, item }
    }
    // An item begins behind the array's own bracket, and behind each comma of it.
    if (depth === 1 && (token === ',' || opens)) {
      start = index + 1
      startLine = line
    }
    if (token === ']' || token === '}') depth--
  }
}

function readJson(source: string): Rows {
  const text = source.replace(/^\ufeff/, '')
  try {
    if (!Array.isArray(JSON.parse(text))) return { rows: [], faults: [{ line: 1, text: 'not an array of JSON' }] }
  } catch (error) {
    // Node's own message repeats what stands there; only the place is told.
    const at = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1]
    const line = at === undefined ? 1 : text.slice(0, Number(at)).split('\n').length
    return { rows: [], faults: [{ line, text: 'not JSON from here on' }] }
  }
  return sort([...splitItems(text)].map(({ line, item }) => readObject(item, line)))
}

const readers: Readonly<Record<Format, (text: string) => Rows>> = { csv: readCsv, json: readJson, ndjson: readNdjson }

export function readRows(text: string, format: Format): Rows {
  return readers[format](text)
}
