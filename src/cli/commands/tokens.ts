import type { Command, Flag } from '../command.js'
import { attributeFlag, capabilityFlags, clientArgument, gatewayFlags, listCommand, removal } from '../common.js'
import { saveFlag, showSecret } from '../credential.js'
import { path } from '../gateway.js'
import { columns } from '../output.js'

/** `countersign tokens …` and `countersign tickets …` */

const capFlags: readonly Flag[] = capabilityFlags.map(flag => ({
  ...flag,
  summary: `What its tickets may have at most: ${flag.name}.`
}))

export const tokenCommands: readonly Command[] = [
  {
    path: ['tokens', 'create'],
    summary: 'Make an API token for a backend.',
    details: 'The token is shown once, on stdout: the gateway keeps a keyed hash of it.',
    args: [{ name: 'name', summary: 'what it is for' }],
    flags: [
      {
        name: 'scopes',
        kind: 'list',
        value: '<scopes>',
        member: 'scopes',
        choices: ['admin', 'publish', 'tickets', 'read'],
        required: true,
        summary: 'What it may do: admin, publish, tickets, read.'
      },
      {
        name: 'clients',
        kind: 'list',
        value: '<patterns>',
        member: 'clients',
        summary: 'Clients it may make tickets for. Default: any.'
      },
      ...capFlags,
      {
        name: 'expires-at',
        kind: 'time',
        value: '<time>',
        member: 'expiresAt',
        summary: 'When it ends. Default: never.'
      },
      ...gatewayFlags
    ],
    examples: ['countersign tokens create shop-backend --scopes tickets --clients "web-*" --services "shop-*"'],
    async run(context) {
      const { values, gateway } = context
      const body = { name: values.arg('name'), ...values.body() }
      const names = ['tokenId', 'name', 'scopes', 'clients', 'subscribe', 'publish', 'services', 'expiresAt']
      await showSecret(context, names, 'token', () => gateway.call('POST', '/v1/admin/tokens', body))
      return 0
    }
  },
  listCommand({
    path: ['tokens', 'list'],
    summary: 'Show API tokens, never the tokens themselves.',
    address: '/v1/admin/tokens',
    columns: columns({
      TOKEN: 'tokenId',
      NAME: 'name',
      SCOPES: 'scopes',
      CLIENTS: 'clients',
      CREATED: 'createdAt',
      EXPIRES: 'expiresAt'
    }),
    examples: ['countersign tokens list']
  }),
  removal(
    ['tokens', 'delete'],
    'Take an API token away.',
    [{ name: 'tokenId', summary: 'the token (tok_…)' }],
    ({ values }) => path`/v1/admin/tokens/${values.arg('tokenId')}`,
    ['countersign tokens delete tok_0123abcd']
  ),
  {
    path: ['tickets', 'create'],
    summary: 'Make a short-lived credential, for a web page say.',
    details: 'The secret is shown once, on stdout, or saved to a file. The client needs no record.',
    args: [clientArgument],
    flags: [
      {
        name: 'ttl',
        kind: 'seconds',
        value: '<seconds>',
        member: 'ttl',
        min: 30,
        max: 86_400,
        summary: 'How long it lives: seconds, or 5m, 1h; 30 s to 1d. Default 5m.'
      },
      ...capabilityFlags,
      attributeFlag,
      saveFlag,
      ...gatewayFlags
    ],
    examples: ['countersign tickets create web-42 --ttl 10m --services "shop-*"'],
    async run(context) {
      const { values, gateway } = context
      const body = { clientId: values.arg('clientId'), ...values.body() }
      const names = ['clientId', 'keyId', 'expiresAt']
      await showSecret(context, names, 'secret', () => gateway.call('POST', '/v1/tickets', body))
      return 0
    }
  }
]
