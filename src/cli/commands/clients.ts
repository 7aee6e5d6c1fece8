import type { CommandSpec } from '../command.js'
import { saveOption } from '../credential.js'
import { attributeOption, capabilityMembers, capabilityOptions } from '../options.js'
import { columns } from '../output.js'
import { changesOf, itemCommands, listCommand, membersOf, requestCommand } from '../resource.js'

const show = ['clientId', 'status', 'keyId', ...capabilityMembers, 'attributes', 'createdAt', 'updatedAt']
const address = '/v1/admin/clients'
const args = { clientId: 'the client' }
const one = itemCommands({
  ...{ noun: 'clients', address, show },
  ...{ id: 'clientId', idSummary: args.clientId, exampleId: 'game-1' }
})

export const clientCommands: readonly CommandSpec[] = [
  requestCommand({
    usage: 'clients create [clientId]',
    summary: 'Create a client with its first key.',
    details: 'The secret is shown once, on stdout, or saved to a file.',
    args: { clientId: 'its name, e.g. game-1; by default the gateway generates one' },
    options: [...capabilityOptions, attributeOption, saveOption],
    examples: [
      'countersign clients create game-1 --services "shop-*" --attribute team=blue',
      'countersign clients create game-1 --save game-1.json'
    ],
    request: `POST ${address}`,
    body: invocation => ({ ...invocation.args, ...membersOf(invocation, capabilityMembers) }),
    show,
    secret: 'secret'
  }),
  listCommand({
    usage: 'clients list',
    summary: 'List clients.',
    examples: ['countersign clients list', 'countersign clients list --all --json'],
    address,
    columns: columns({
      CLIENT: 'clientId',
      STATUS: 'status',
      KEYS: ({ keys }) => (Array.isArray(keys) ? keys.length : undefined),
      SUBSCRIBE: 'subscribe',
      PUBLISH: 'publish',
      SERVICES: 'services',
      CALL: 'call',
      ATTRIBUTES: 'attributes'
    })
  }),
  one.show('Show a client. `keys list` shows its keys.'),
  requestCommand({
    usage: 'clients update <clientId>',
    summary: "Change a client's capabilities or attributes.",
    details:
      'A list replaces the previous one; an empty one (--publish "") removes it. Narrower --subscribe patterns only remove channels; other changes make its sessions reconnect.',
    args,
    options: [...capabilityOptions, attributeOption],
    examples: ['countersign clients update game-1 --subscribe "news,room:*" --publish ""'],
    request: `PATCH ${address}/:clientId`,
    body: invocation => changesOf(invocation, capabilityMembers),
    show
  }),
  one.set('suspend', { status: 'suspended' }, 'Suspend a client until it is resumed. Its sessions end.'),
  one.set('resume', { status: 'active' }, 'Resume a suspended client.'),
  one.remove('Delete a client and its keys. Its sessions end.')
]
