import type { CommandSpec, Invocation } from '../command.js'
import { formatCsv } from '../import/csv.js'
import { formatOf, formats } from '../import/read.js'
import { isRecord } from '../json.js'
import { type Put, writeOutput } from '../new-file.js'
import { gatewayOptions, text } from '../options.js'
import { type Progress, startProgress } from '../progress.js'
import { pagesOf, writeJsonArray } from '../resource.js'
import { UnreadableRecords } from '../unreadable-records.js'

type License = Readonly<Record<string, unknown>>

const csvColumns = [
  ...['licenseId', 'serviceId', 'keyHash', 'status', 'maxHwids', 'maxSessions', 'startsAt', 'expiresAt', 'createdAt'],
  ...['updatedAt', 'hwids', 'bannedHwids', 'attributes']
]

/** Objects and arrays become JSON, so that no cell starts with text from a client, which a spreadsheet might run. */
function csvFields(license: License): string[] {
  return csvColumns.map(name => {
    const value = license[name]
    if (value === undefined) return ''
    return typeof value === 'object' ? JSON.stringify(value) : String(value)
  })
}

async function* counted(pages: AsyncIterable<readonly unknown[]>, progress: Progress): AsyncGenerator<License[]> {
  for await (const page of pages) {
    const licenses = page.filter(isRecord)
    yield licenses
    await progress.add(licenses.length)
  }
}

/** @returns the licenses that are omitted because they cannot be opened */
async function exportTo(invocation: Invocation, format: string, put: Put): Promise<UnreadableRecords> {
  const { io, options } = invocation
  // On a terminal that shows the licenses themselves, a progress bar would mix with them.
  const hasBar = io.stderr.isTTY === true && (options.out !== undefined || io.stdout.isTTY !== true)
  const progress = startProgress(io, 'licenses', undefined, hasBar)
  const unreadable = new UnreadableRecords()
  const pages = counted(pagesOf(invocation, '/v1/admin/licenses', {}, unreadable), progress)
  if (format === 'json') await writeJsonArray(pages, put)
  else {
    if (format === 'csv') await put(formatCsv([csvColumns]))
    for await (const licenses of pages) {
      const ndjson = () => licenses.map(license => `${JSON.stringify(license)}\n`).join('')
      await put(format === 'csv' ? formatCsv(licenses.map(csvFields)) : ndjson())
    }
  }
  await progress.finish()
  return unreadable
}

export const exportCommand: CommandSpec = {
  usage: 'licenses export',
  summary: 'Write all licenses as CSV, JSON or NDJSON.',
  details:
    'License keys are not included: the gateway stores only keyed hashes of them (keyHash). `licenses import` reads the ' +
    'file again, into this store or one restored from its backup. An existing file is replaced. Licenses that do not open ' +
    'are left out: exit code 1, and a line that says how many.',
  options: [
    text('--format <format>', 'csv, json or ndjson. Default: by the extension of --out, else csv.', formats),
    text('--out <file>', 'Write to this file (mode 0600). Default: stdout.'),
    ...gatewayOptions
  ],
  examples: ['countersign licenses export --out licenses.csv', 'countersign licenses export --format json > all.json'],
  async run(invocation) {
    const { io, options } = invocation
    const { out } = options
    const format = options.json ? 'json' : (options.format ?? formatOf(out ?? '') ?? 'csv')
    const unreadable = await writeOutput(io, out, put => exportTo(invocation, format, put))
    await unreadable.report(io, 'licenses')
    return unreadable.count === 0 ? 0 : 1
  }
}
