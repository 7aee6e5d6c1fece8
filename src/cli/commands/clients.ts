import type { Command, Context } from '../command.js'
import {
  attributeFlag,
  capabilityFlags,
  changesOf,
  clientArgument,
  gatewayFlags,
  listCommand,
  removal,
  show
} from '../common.js'
import { saveFlag, showSecret } from '../credential.js'
import { path } from '../gateway.js'
import { columns } from '../output.js'

/** `countersign clients …` */

const members = [
  'clientId',
  'status',
  'keyId',
  'subscribe',
  'publish',
  'services',
  'attributes',
  'createdAt',
  'updatedAt'
]

async function patch(context: Context, body: unknown): Promise<number> {
  const answer = await context.gateway.call('PATCH', path`/v1/admin/clients/${context.values.arg('clientId')}`, body)
  await show(context, answer, members)
  return 0
}

export const clientCommands: readonly Command[] = [
  {
    path: ['clients', 'create'],
    summary: 'Make a client with its first key.',
    details: 'The secret is shown once, on stdout, or saved to a file. Without clientId the gateway makes one up.',
    args: [{ ...clientArgument, summary: 'its name, e.g. game-1', optional: true }],
    flags: [...capabilityFlags, attributeFlag, saveFlag, ...gatewayFlags],
    examples: [
      'countersign clients create game-1 --services "shop-*" --attribute team=blue',
      'countersign clients create game-1 --save game-1.json'
    ],
    async run(context) {
      const [clientId] = context.values.args('clientId')
      const body = { ...(clientId === undefined ? {} : { clientId }), ...context.values.body() }
      await showSecret(context, members, 'secret', () => context.gateway.call('POST', '/v1/admin/clients', body))
      return 0
    }
  },
  listCommand({
    path: ['clients', 'list'],
    summary: 'Show clients.',
    address: '/v1/admin/clients',
    columns: columns({
      CLIENT: 'clientId',
      STATUS: 'status',
      KEYS: ({ keys }) => (Array.isArray(keys) ? keys.length : undefined),
      SUBSCRIBE: 'subscribe',
      PUBLISH: 'publish',
      SERVICES: 'services',
      ATTRIBUTES: 'attributes'
    }),
    examples: ['countersign clients list', 'countersign clients list --all --json']
  }),
  {
    path: ['clients', 'show'],
    summary: 'Show a client. Its keys: keys list.',
    args: [clientArgument],
    flags: gatewayFlags,
    examples: ['countersign clients show game-1'],
    async run(context) {
      await show(
        context,
        await context.gateway.call('GET', path`/v1/admin/clients/${context.values.arg('clientId')}`),
        members
      )
      return 0
    }
  },
  {
    path: ['clients', 'update'],
    summary: "Change a client's capabilities or attributes.",
    details:
      'A list takes the place of the one before; an empty one (--publish "") takes it away. Its sessions reconnect.',
    args: [clientArgument],
    flags: [...capabilityFlags, attributeFlag, ...gatewayFlags],
    examples: ['countersign clients update game-1 --subscribe "news,room:*" --publish ""'],
    run: context => patch(context, changesOf(context))
  },
  {
    path: ['clients', 'suspend'],
    summary: 'Lock a client out until it is resumed. Its sessions end.',
    args: [clientArgument],
    flags: gatewayFlags,
    examples: ['countersign clients suspend game-1'],
    run: context => patch(context, { status: 'suspended' })
  },
  {
    path: ['clients', 'resume'],
    summary: 'Let a suspended client in again.',
    args: [clientArgument],
    flags: gatewayFlags,
    examples: ['countersign clients resume game-1'],
    run: context => patch(context, { status: 'active' })
  },
  removal(
    ['clients', 'delete'],
    'Delete a client and its keys. Its sessions end.',
    [clientArgument],
    ({ values }) => path`/v1/admin/clients/${values.arg('clientId')}`,
    ['countersign clients delete game-1']
  )
]
