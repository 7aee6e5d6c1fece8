import type { CommandSpec } from '../command.js'
import { gatewayOptions, text } from '../options.js'
import { columns, painter, printJson, printLine } from '../output.js'
import { listCommand } from '../resource.js'
import { auditExport, compareWithAnchor, cutOf, readAnchor } from './audit-anchor.js'

/** The gateway reads its whole log to answer. */
const verifyTimeoutMs = 10 * 60 * 1000

export const auditCommands: readonly CommandSpec[] = [
  listCommand({
    usage: 'audit list',
    summary: 'List who changed what and when, oldest first.',
    examples: ['countersign audit list --after 100', 'countersign audit list --all --json > audit.json'],
    address: '/v1/admin/audit',
    columns: columns({ SEQ: 'seq', AT: 'at', ACTOR: 'actor', ACTION: 'action', TARGET: 'target', DETAIL: 'detail' })
  }),
  auditExport,
  {
    usage: 'audit verify',
    summary: 'Verify that no entry of the audit log was changed, dropped or added.',
    details: 'Exit code 1 if one was. An anchor also shows whether the end of the log, or all of it, was removed.',
    options: [
      text(
        '--anchor <file>',
        'A file of `audit export`: its last entry must still be in the log, or have been cut because of its age.'
      ),
      ...gatewayOptions
    ],
    examples: ['countersign audit verify', 'countersign audit verify --anchor audit.ndjson'],
    async run(invocation) {
      const { io, options, gateway } = invocation
      const anchor = options.anchor === undefined ? undefined : readAnchor(options.anchor)
      const answer = await gateway.call('GET', '/v1/admin/audit/verify', undefined, { timeoutMs: verifyTimeoutMs })
      const { entries, brokenAt } = answer
      const cut = cutOf(answer)
      const lost = anchor === undefined ? undefined : await compareWithAnchor(invocation, anchor, cut)
      const isIntact = brokenAt === undefined && lost === undefined
      const paint = painter(io.stdout, io.env)
      if (options.json) await printJson(io, lost === undefined ? answer : { ...answer, anchor: lost })
      else if (isIntact) {
        const since = cut === undefined ? '' : `; those up to ${cut.seq} were cut because of their age`
        await printLine(io, `${paint('green', '✓')} all ${entries} entries are intact${since}`)
      } else {
        if (lost !== undefined) await printLine(io, `${paint('red', '✗')} ${lost}`)
        if (brokenAt !== undefined)
          await printLine(io, `${paint('red', '✗')} entry ${brokenAt} is not intact (the ${entries} before it are)`)
        await printLine(io, '  The store was changed from outside. Keep a copy of it, and compare it with a backup.')
      }
      return isIntact ? 0 : 1
    }
  }
]
