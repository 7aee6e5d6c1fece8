import type { CommandSpec } from '../command.js'
import { capabilityMembers, list, time } from '../options.js'
import { columns } from '../output.js'
import { listCommand, membersOf, requestCommand } from '../resource.js'

const scopes = ['admin', 'publish', 'tickets', 'calls', 'read']
const address = '/v1/admin/tokens'

export const tokenCommands: readonly CommandSpec[] = [
  requestCommand({
    usage: 'tokens create <name>',
    summary: 'Create an API token for a backend.',
    details: 'The token is shown once, on stdout: the gateway stores only a keyed hash.',
    args: { name: 'what it is for' },
    options: [
      list('--scopes <scopes>', `What it may do: ${scopes.join(', ')}.`, scopes).makeOptionMandatory(),
      list('--clients <patterns>', 'Clients it may create tickets for; required for the scope tickets.'),
      ...capabilityMembers.map(name => list(`--${name} <patterns>`, `The most that its tickets may have of: ${name}.`)),
      time('--expires-at <time>', 'When it expires. Default: never.')
    ],
    examples: ['countersign tokens create shop-backend --scopes tickets --clients "web-*" --services "shop-*"'],
    request: `POST ${address}`,
    body: invocation => ({
      ...invocation.args,
      ...membersOf(invocation, ['scopes', 'clients', ...capabilityMembers, 'expiresAt'])
    }),
    show: ['tokenId', 'name', 'scopes', 'clients', ...capabilityMembers, 'expiresAt'],
    secret: 'token'
  }),
  listCommand({
    usage: 'tokens list',
    summary: 'List API tokens, without the tokens themselves.',
    examples: ['countersign tokens list'],
    address,
    columns: columns({
      TOKEN: 'tokenId',
      NAME: 'name',
      SCOPES: 'scopes',
      CLIENTS: 'clients',
      CREATED: 'createdAt',
      EXPIRES: 'expiresAt'
    })
  }),
  requestCommand({
    usage: 'tokens delete <tokenId>',
    summary: 'Delete an API token.',
    args: { tokenId: 'the token (tok_…)' },
    examples: ['countersign tokens delete tok_0123abcd'],
    request: `DELETE ${address}/:tokenId`
  })
]
