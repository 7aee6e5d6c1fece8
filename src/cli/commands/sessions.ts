import type { Command } from '../command.js'
import { done, gatewayFlags, listCommand } from '../common.js'
import { path } from '../gateway.js'
import { columns, painter, printJson, printLine } from '../output.js'

/** `countersign sessions …` and `countersign audit …` */

/** Reading a whole log takes as long as it is. */
const verifyTimeoutMs = 10 * 60 * 1000

export const sessionCommands: readonly Command[] = [
  listCommand({
    path: ['sessions', 'list'],
    summary: 'Show who is on.',
    address: '/v1/admin/sessions',
    flags: [{ name: 'client', kind: 'text', value: '<clientId>', summary: 'Only this client.' }],
    query: ({ values }): Record<string, string> => {
      const clientId = values.text('client')
      return clientId === undefined ? {} : { clientId }
    },
    columns: columns({
      SESSION: 'sessionId',
      CLIENT: 'clientId',
      KEY: 'keyId',
      TRANSPORT: 'transport',
      ADDRESS: 'remoteAddress',
      INSTANCE: 'instanceId',
      OPENED: 'openedAt',
      'LAST SEEN': 'lastSeenAt',
      ATTRIBUTES: 'attributes'
    }),
    examples: ['countersign sessions list --client game-1']
  }),
  {
    path: ['sessions', 'end'],
    summary: 'End sessions, wherever they are. Their clients stop.',
    details: 'An id that begins with two dashes goes behind `--`.',
    args: [{ name: 'sessionId', summary: 'the sessions', several: true }],
    flags: gatewayFlags,
    examples: ['countersign sessions end 0Jx2o3yYk8Zr5d1w7vB4aQ'],
    async run(context) {
      for (const sessionId of context.values.args('sessionId')) {
        await context.gateway.call('DELETE', path`/v1/admin/sessions/${sessionId}`)
        await done(context, `sessions end: ${sessionId}: done`)
      }
      return 0
    }
  },
  listCommand({
    path: ['audit', 'list'],
    summary: 'Show who did what when, oldest first.',
    address: '/v1/admin/audit',
    columns: columns({ SEQ: 'seq', AT: 'at', ACTOR: 'actor', ACTION: 'action', TARGET: 'target', DETAIL: 'detail' }),
    examples: ['countersign audit list --after 100', 'countersign audit list --all --json > audit.json']
  }),
  {
    path: ['audit', 'verify'],
    summary: 'Check the whole audit log: that no entry was changed, dropped or added.',
    details: 'Exit code 1 where it does not hold.',
    args: [],
    flags: gatewayFlags,
    examples: ['countersign audit verify'],
    async run({ io, values, gateway }) {
      const answer = await gateway.call('GET', '/v1/admin/audit/verify', undefined, { timeoutMs: verifyTimeoutMs })
      const { entries, brokenAt } = answer
      const whole = brokenAt === undefined
      const paint = painter(io.stdout, io.env)
      if (values.has('json')) await printJson(io, answer)
      else if (whole) await printLine(io, `${paint('green', '✓')} all ${entries} entries hold`)
      else {
        await printLine(io, `${paint('red', '✗')} entry ${brokenAt} does not hold (${entries} before it do)`)
        await printLine(io, '  Someone or something changed the store. Keep a copy of it, and compare with a backup.')
      }
      return whole ? 0 : 1
    }
  }
]
