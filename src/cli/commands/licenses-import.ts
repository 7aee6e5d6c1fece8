import type { CommandSpec, Invocation, Io } from '../command.js'
import { Failure, UsageError } from '../errors.js'
import { type Fault, formatOf, formats, readRows } from '../import/read.js'
import { upload } from '../import/upload.js'
import { gatewayOptions, text, toggle } from '../options.js'
import { note, printDone, printLine } from '../output.js'
import { startProgress } from '../progress.js'
import { decodeText, readTextFile } from '../text-file.js'

/** Further faults are only counted. */
const maxShownFaults = 20
/** The file is held in memory. */
const maxImportBytes = 256 * 1024 * 1024

async function readStdin({ stdin }: Io): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of stdin) {
    parts.push(Buffer.from(part))
    bytes += part.length
    if (bytes > maxImportBytes) throw new Failure(`stdin has more than ${maxImportBytes} bytes: split it`)
  }
  return decodeText(Buffer.concat(parts), 'stdin')
}

function describeFaults(faults: readonly Fault[]): string {
  const shown = faults.slice(0, maxShownFaults).map(fault => `  line ${fault.line}: ${fault.text}`)
  const more = faults.length > shown.length ? [`  and ${faults.length - shown.length} more`] : []
  const total = faults.length === 1 ? '1 fault' : `${faults.length} faults`
  return [`${total}; nothing was sent:`, ...shown, ...more].join('\n')
}

function describeTrimmed(lines: readonly number[]): string {
  const more = lines.length > maxShownFaults ? ` and ${lines.length - maxShownFaults} more` : ''
  const shown = `${lines.slice(0, maxShownFaults).join(', ')}${more}`
  return `warning: spaces or invisible characters around the key are left out on line ${shown}`
}

async function importLicenses(invocation: Invocation): Promise<number> {
  const { io, args, options, gateway } = invocation
  const { file = '' } = args
  const format = formats.find(each => each === options.format) ?? formatOf(file)
  if (format === undefined) throw new UsageError(`option '--format' is missing: ${formats.join(', ')}`)
  const rows = readRows(file === '-' ? await readStdin(io) : readTextFile(file, maxImportBytes), format)
  // Only this command needs the schemas of the HTTP API.
  const { checkRows } = await import('../import/check.js')
  const { licenses, faults, trimmedLines } = checkRows(rows)
  if (faults.length > 0) throw new Failure(describeFaults(faults))
  if (licenses.length === 0) throw new Failure(`${file === '-' ? 'stdin' : file} holds no license`)
  if (trimmedLines.length > 0) await note(io, describeTrimmed(trimmedLines))
  if (options.check) {
    await printLine(io, `${licenses.length} licenses, no fault; nothing was sent`)
    return 0
  }
  const progress = startProgress(io, 'licenses', licenses.length)
  const imported = await upload(io, gateway, licenses, progress)
  await progress.finish()
  await printDone(invocation, { licenses: imported }, `${imported} licenses imported`)
  return 0
}

export const importCommand: CommandSpec = {
  usage: 'licenses import <file>',
  summary: 'Create many licenses from a file, all or nothing.',
  details:
    'CSV (RFC 4180; the header row names the columns: serviceId, key, maxHwids, maxSessions, startsAt, expiresAt, ' +
    'attributes.<name>), a JSON array, or NDJSON with the same members, or a file of `licenses export`, with the hashes of ' +
    'the keys (keyHash), bindings and bans: into the same store or one restored from its backup. The whole file ' +
    'is checked first, and every fault is reported with its line. Then every license is imported or, after Ctrl-C or ' +
    'any failure, none.',
  args: { file: 'the file; `-` is stdin' },
  options: [
    text('--format <format>', 'csv, json or ndjson. Default: by the extension of the file.', formats),
    toggle('--check', 'Only check the file.'),
    ...gatewayOptions
  ],
  examples: ['countersign licenses import licenses.csv', 'make-keys | countersign licenses import - --format ndjson'],
  run: importLicenses
}
