import { messageOf } from '../errors.js'
import { isRecord, parseJson } from '../json.js'
import { CsvFault, type CsvRecord, parseCsv } from './csv.js'
import { listNames } from './names.js'

/** Reads a file of licenses, each with its line. check.ts checks the values. */

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

const plainColumns = [
  ...['serviceId', 'key', 'keyHash', 'status', 'maxHwids', 'maxSessions', 'startsAt', 'expiresAt'],
  ...['hwids', 'bannedHwids', 'attributes']
]
/** Columns of an export that the gateway sets by itself. They are read but not sent. */
export const ignoredMembers: readonly string[] = ['licenseId', 'createdAt', 'updatedAt']
const jsonColumns = ['hwids', 'bannedHwids', 'attributes']
const numberColumns = ['maxHwids', 'maxSessions']
const attributeColumn = /^attributes\.(.+)$/

function checkHeader({ fields, line }: CsvRecord): Fault[] {
  if (fields.length === 1 && fields[0]?.includes(';')) {
    return [{ line, text: 'the columns are separated by semicolons: save the file with commas' }]
  }
  const known = (name: string) => plainColumns.includes(name) || ignoredMembers.includes(name)
  const unknown = fields.filter(name => !known(name) && !attributeColumn.test(name))
  const names = `${plainColumns.join(', ')} and attributes.<name>`
  const texts: string[] = []
  // Without a header row the first line contains a key: no cell is known then, and none is quoted.
  if (unknown.length > 0) {
    const listed = listNames(unknown, unknown.length < fields.length)
    texts.push(`the header row names ${unknown.length} unknown columns${listed}; known are ${names}`)
  }
  if (new Set(fields).size < fields.length) texts.push('the header row names a column twice')
  if (!fields.includes('serviceId')) texts.push('the header row has no column serviceId')
  if (!fields.includes('key') && !fields.includes('keyHash')) texts.push('the header row has no column key')
  return texts.map(text => ({ line, text }))
}

/** Texts that are invalid for their column stay texts; check.ts reports them. */
function cellOf(name: string, text: string): unknown {
  if (numberColumns.includes(name)) return /^\d{1,15}$/.test(text) ? Number(text) : text
  if (!jsonColumns.includes(name)) return text
  return parseJson(text) ?? text
}

/** An empty cell is an absent member. */
function licenseOf(header: readonly string[], fields: readonly string[]): Row['license'] {
  const license: Record<string, unknown> = {}
  const attributes: [string, string][] = []
  for (const [i, name] of header.entries()) {
    const text = fields[i] ?? ''
    const attribute = attributeColumn.exec(name)?.[1]
    if (text === '') continue
    if (attribute !== undefined) attributes.push([attribute, text])
    else license[name] = cellOf(name, text)
  }
  if (attributes.length === 0) return license
  const whole = isRecord(license['attributes']) ? license['attributes'] : {}
  return { ...license, attributes: { ...whole, ...Object.fromEntries(attributes) } }
}

function readCsv(text: string): Rows {
  const rows: Row[] = []
  const faults: Fault[] = []
  let header: readonly string[] | undefined
  try {
    parseCsv(text, record => {
      const { line, fields } = record
      if (header === undefined) {
        header = fields
        const found = checkHeader(record)
        const last = found.pop()
        faults.push(...found)
        // Under a wrong header every row would be wrong.
        if (last !== undefined) throw new CsvFault(line, last.text)
      } else if (fields.length !== header.length) {
        faults.push({ line, text: `${fields.length} fields, but the header row has ${header.length}` })
      } else rows.push({ line, license: licenseOf(header, fields) })
    })
  } catch (error) {
    if (!(error instanceof CsvFault)) throw error
    faults.push({ line: error.line, text: error.message })
  }
  return { rows, faults }
}

function readObject(text: string, line: number): Row | Fault {
  const license = parseJson(text)
  if (isRecord(license)) return { line, license }
  return { line, text: license === undefined ? 'not JSON' : 'not a JSON object' }
}

function separate(read: readonly (Row | Fault)[]): Rows {
  return {
    rows: read.filter(each => 'license' in each),
    faults: read.filter(each => 'text' in each)
  }
}

function readNdjson(text: string): Rows {
  const lines = text.split(/\r?\n/)
  return separate(lines.flatMap((each, i) => (each.trim() === '' ? [] : [readObject(each, i + 1)])))
}

/** Characters that open, close or separate something. A backslash occurs only in strings, with the escaped character. */
const jsonToken = /\\.|["[\]{},\n]/g

/** The items of a valid JSON array, each with its first line. */
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
    // An item starts after the opening bracket of the array or after one of its commas.
    if (depth === 1 && (token === ',' || opens)) {
      start = index + 1
      startLine = line
    }
    if (token === ']' || token === '}') depth--
  }
}

function readJson(text: string): Rows {
  try {
    if (!Array.isArray(JSON.parse(text))) return { rows: [], faults: [{ line: 1, text: 'not a JSON array' }] }
  } catch (error) {
    // Node's message quotes the text, which may be a key; only its position is reported.
    const at = /position (\d+)/.exec(messageOf(error))?.[1]
    const line = at === undefined ? 1 : text.slice(0, Number(at)).split('\n').length
    return { rows: [], faults: [{ line, text: 'not JSON from here on' }] }
  }
  return separate([...splitItems(text)].map(({ line, item }) => readObject(item, line)))
}

const readers: Readonly<Record<Format, (text: string) => Rows>> = { csv: readCsv, json: readJson, ndjson: readNdjson }

/** @param text  without a byte order mark */
export function readRows(text: string, format: Format): Rows {
  return readers[format](text)
}
