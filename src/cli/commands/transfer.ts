import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { type Command, type Context, Failure, type Io, UsageError } from '../command.js'
import { gatewayFlags, pagesOf } from '../common.js'
import { checkRows } from '../import/check.js'
import { formatCsv } from '../import/csv.js'
import { type Fault, formatOf, formats, readRows } from '../import/read.js'
import { upload } from '../import/upload.js'
import { isRecord, printJson, printLine, write } from '../output.js'
import { startProgress } from '../progress.js'

/** `countersign licenses import` and `export`: many licenses at once. */

/** Faults that are shown; the rest are counted. */
const shownFaults = 20
/** A file of licenses, in bytes. */
const maxImportBytes = 256 * 1024 * 1024

/** A file of another encoding would make other keys than it says. */
function decode(bytes: Uint8Array, from: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Failure(`${from} is not UTF-8: save it as "CSV UTF-8"`)
  }
}

async function readStdin({ stdin }: Io): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of stdin) {
    parts.push(Buffer.from(part))
    bytes += part.length
    if (bytes > maxImportBytes) throw new Failure(`stdin holds more than ${maxImportBytes} bytes: split it`)
  }
  return decode(Buffer.concat(parts), 'stdin')
}

function readFile(file: string): string {
  let bytes: Uint8Array | undefined
  try {
    if (statSync(file).size <= maxImportBytes) bytes = readFileSync(file)
  } catch {
    throw new Failure(`${file} cannot be read`)
  }
  if (bytes === undefined) throw new Failure(`${file} holds more than ${maxImportBytes} bytes: split it`)
  return decode(bytes, file)
}

function listFaults(faults: readonly Fault[]): string {
  const shown = faults.slice(0, shownFaults).map(({ line, text }) => `  line ${line}: ${text}`)
  const rest = faults.length - shown.length
  const more = rest > 0 ? [`  and ${rest} more`] : []
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`
  return [`${count}; nothing was sent:`, ...shown, ...more].join('\n')
}

async function runImport({ io, values, gateway }: Context): Promise<number> {
  const file = values.arg('file')
  const wanted = values.text('format')
  const format = formats.find(each => each === wanted) ?? formatOf(file)
  if (format === undefined) throw new UsageError(`--format is missing: ${formats.join(', ')}`)
  const text = file === '-' ? await readStdin(io) : readFile(file)
  const { licenses, faults } = checkRows(readRows(text, format))
  if (faults.length > 0) throw new Failure(listFaults(faults))
  if (licenses.length === 0) throw new Failure(`${file === '-' ? 'stdin' : file} holds no license`)
  if (values.has('check')) {
    await printLine(io, `${licenses.length} licenses, no fault; nothing was sent`)
    return 0
  }
  const progress = startProgress(io, 'licenses', licenses.length)
  const made = await upload(io, gateway, licenses, progress)
  await progress.finish()
  if (values.has('json')) await printJson(io, { licenses: made })
  else await printLine(io, `${made} licenses imported`)
  return 0
}

const exported = [
  'licenseId',
  'serviceId',
  'status',
  'maxHwids',
  'maxSessions',
  'startsAt',
  'expiresAt',
  'createdAt',
  'updatedAt',
  'hwids',
  'bannedHwids',
  'attributes'
]

/** Objects and arrays as JSON: a cell never begins with what a client sent, which a spreadsheet might run. */
function csvRow(license: Readonly<Record<string, unknown>>): string {
  return formatCsv(
    exported.map(name => {
      const value = license[name]
      if (value === undefined) return ''
      return typeof value === 'object' ? JSON.stringify(value) : String(value)
    })
  )
}

type Sink = (text: string) => Promise<void> | void

async function exportTo(context: Context, format: string, put: Sink): Promise<void> {
  const { io, values } = context
  // Where the licenses themselves go to the terminal, a bar would stand in their way.
  const shown = io.stderr.isTTY === true && (values.has('out') || io.stdout.isTTY !== true)
  const progress = startProgress(io, 'licenses', undefined, shown)
  if (format === 'csv') await put(formatCsv(exported))
  let first = true
  for await (const items of pagesOf(context, '/v1/admin/licenses', {})) {
    const licenses = items.filter(isRecord)
    if (format === 'csv') await put(licenses.map(csvRow).join(''))
    else if (format === 'ndjson') await put(licenses.map(each => `${JSON.stringify(each)}\n`).join(''))
    else {
      const text = licenses.map(each => JSON.stringify(each)).join(',\n')
      if (text !== '') await put(`${first ? '[\n' : ',\n'}${text}`)
      first &&= text === ''
    }
    await progress.add(licenses.length)
  }
  if (format === 'json') await put(first ? '[]\n' : '\n]\n')
  await progress.finish()
}

/** Written beside and renamed into place: an export that is cut short leaves no half file. */
async function exportToFile(context: Context, format: string, file: string): Promise<void> {
  const beside = `${file}.part`
  let handle: number
  try {
    handle = openSync(beside, 'w', 0o600)
  } catch {
    throw new Failure(`${beside} cannot be written`)
  }
  try {
    await exportTo(context, format, text => void writeSync(handle, text))
    renameSync(beside, file)
  } finally {
    closeSync(handle)
    // Where it was renamed there is none.
    rmSync(beside, { force: true })
  }
}

export const transferCommands: readonly Command[] = [
  {
    path: ['licenses', 'import'],
    summary: 'Make many licenses from a file, all or nothing.',
    details:
      'CSV (RFC 4180; the header row names columns: serviceId, key, maxHwids, maxSessions, startsAt, expiresAt, ' +
      'attributes.<name>), an array of JSON, or NDJSON with the same members. serviceId and key must be there. ' +
      'The whole file is checked first, and every fault is told by its line; then all of it is imported, or, after ' +
      'Ctrl-C or any failure, nothing.',
    args: [{ name: 'file', summary: 'the file; `-` is stdin' }],
    flags: [
      {
        name: 'format',
        kind: 'text',
        value: '<format>',
        choices: formats,
        summary: 'csv, json or ndjson. Default: by the extension of the file.'
      },
      { name: 'check', kind: 'switch', summary: 'Only check the file.' },
      ...gatewayFlags
    ],
    examples: ['countersign licenses import licenses.csv', 'make-keys | countersign licenses import - --format ndjson'],
    run: runImport
  },
  {
    path: ['licenses', 'export'],
    summary: 'Write all licenses as CSV, JSON or NDJSON.',
    details:
      'License keys are not in it: the gateway keeps only keyed hashes of them. A file that is there already is replaced.',
    args: [],
    flags: [
      {
        name: 'format',
        kind: 'text',
        value: '<format>',
        choices: formats,
        summary: 'csv, json or ndjson. Default: by the extension of --out, else csv.'
      },
      { name: 'out', kind: 'text', value: '<file>', summary: 'Write to this file (mode 0600). Default: stdout.' },
      ...gatewayFlags
    ],
    examples: [
      'countersign licenses export --out licenses.csv',
      'countersign licenses export --format json > all.json'
    ],
    async run(context) {
      const { io, values } = context
      const out = values.text('out')
      const format = values.has('json') ? 'json' : (values.text('format') ?? formatOf(out ?? '') ?? 'csv')
      if (out === undefined) await exportTo(context, format, text => write(io.stdout, text))
      else await exportToFile(context, format, out)
      return 0
    }
  }
]
