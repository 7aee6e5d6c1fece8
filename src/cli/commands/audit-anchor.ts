import type { CommandSpec, Invocation } from '../command.js'
import { Failure } from '../errors.js'
import { isRecord, parseRecord } from '../json.js'
import { type Put, writeOutput } from '../new-file.js'
import { gatewayOptions, text } from '../options.js'
import { pagesOf } from '../resource.js'
import { readTextFile } from '../text-file.js'

/** Copies of the audit log, and the proofs that they allow: the log alone cannot show that its tail was cut off. */

const address = '/v1/admin/audit'

/** The last entry of an exported log. */
export interface Anchor {
  readonly seq: number
  readonly hash: string
}

/** Reads the last line of an export, or a file with one entry. @throws Failure */
export function readAnchor(file: string): Anchor {
  const last = readTextFile(file).trimEnd().split('\n').at(-1) ?? ''
  const { seq, hash } = parseRecord(last) ?? {}
  if (Number.isSafeInteger(seq) && typeof hash === 'string') return { seq: Number(seq), hash }
  throw new Failure(`${file} holds no exported audit log: its last line must be an entry of \`audit export\``)
}

/** The cut of the log in an answer of the gateway; undefined if all of it is kept. */
export function cutOf({ cut }: Readonly<Record<string, unknown>>): Anchor | undefined {
  return isRecord(cut) && typeof cut['seq'] === 'number' && typeof cut['hash'] === 'string'
    ? { seq: cut['seq'], hash: cut['hash'] }
    : undefined
}

/**
 * Compares the log with an anchor.
 * @param cut  the newest entry that the gateway removed because of its age; its seal covers those before it
 * @returns the fault; undefined if the log still has the anchor's entry, or the cut covers it
 */
export async function compareWithAnchor(
  { gateway }: Invocation,
  { seq, hash }: Anchor,
  cut: Anchor | undefined
): Promise<string | undefined> {
  if (cut !== undefined && seq < cut.seq) return undefined
  if (cut !== undefined && seq === cut.seq) return hash === cut.hash ? undefined : replaced(seq)
  const { items } = await gateway.call('GET', `${address}?after=${seq - 1}&limit=1`)
  const [entry] = Array.isArray(items) ? items.filter(isRecord) : []
  if (entry === undefined) return `entry ${seq} of the anchor is missing: the end of the log, or all of it, was removed`
  return entry['seq'] === seq && entry['hash'] === hash ? undefined : replaced(seq)
}

function replaced(seq: number): string {
  return `entry ${seq} is not that of the anchor: the log was replaced`
}

async function exportTo(invocation: Invocation, put: Put): Promise<void> {
  for await (const page of pagesOf(invocation, address)) {
    await put(page.map(entry => `${JSON.stringify(entry)}\n`).join(''))
  }
}

export const auditExport: CommandSpec = {
  usage: 'audit export',
  summary: 'Write the audit log as NDJSON, oldest entry first.',
  details: 'Keep the file elsewhere: `audit verify --anchor` then shows whether the end of the log was cut off later.',
  options: [text('--out <file>', 'Write to this file (mode 0600). Default: stdout.'), ...gatewayOptions],
  examples: ['countersign audit export --out audit.ndjson'],
  async run(invocation) {
    await writeOutput(invocation.io, invocation.options.out, put => exportTo(invocation, put))
    return 0
  }
}
