import type { CommandSpec, Invocation } from '../command.js'
import { path } from '../gateway.js'
import { gatewayOptions, text } from '../options.js'
import { columns, printLine } from '../output.js'
import { listCommand } from '../resource.js'

export const sessionCommands: readonly CommandSpec[] = [
  listCommand({
    usage: 'sessions list',
    summary: 'List live sessions.',
    options: [text('--client <clientId>', 'Only of this client.')],
    examples: ['countersign sessions list --client game-1'],
    address: '/v1/admin/sessions',
    query: ({ options: { client } }: Invocation): Record<string, string> =>
      client === undefined ? {} : { clientId: client },
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
    })
  }),
  {
    usage: 'sessions end <sessionId...>',
    summary: 'End sessions, on any instance. Their clients do not reconnect.',
    details: 'An id that starts with two dashes must follow `--`.',
    args: { sessionId: 'the sessions' },
    options: gatewayOptions,
    examples: ['countersign sessions end 0Jx2o3yYk8Zr5d1w7vB4aQ'],
    async run({ io, repeated, options, gateway }) {
      for (const sessionId of repeated) {
        await gateway.call('DELETE', path`/v1/admin/sessions/${sessionId}`)
        if (!options.json) await printLine(io, `sessions end: ${sessionId}: done`)
      }
      return 0
    }
  }
]
