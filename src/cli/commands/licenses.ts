import type { Option } from 'commander'
import type { CommandSpec, Invocation } from '../command.js'
import { readKey } from '../license-key.js'
import { attributeOption, integer, orNone, text, time } from '../options.js'
import { columns } from '../output.js'
import { changesOf, itemCommands, listCommand, membersOf, requestCommand } from '../resource.js'
import { clientOptions } from './client-options.js'

/** `countersign licenses …`, without import and export. */

const limits = ['maxHwids', 'maxSessions', 'startsAt', 'expiresAt']
const record = [...limits, 'attributes', 'hwids', 'bannedHwids', 'createdAt', 'updatedAt']
const show = ['licenseId', 'serviceId', 'status', ...record]
const address = '/v1/admin/licenses'
const args = { licenseId: 'the license (lic_…)' }
const one = itemCommands({
  ...{ noun: 'licenses', address, show },
  ...{ id: 'licenseId', idSummary: args.licenseId, exampleId: 'lic_0123abcd' }
})
const hwidArgs = { ...args, hwid: 'the hardware id' }

/** Limits and dates. In an update each but the first may be removed. */
function limitOptions(isUpdate: boolean): readonly Option[] {
  const removable = (option: Option) => (isUpdate ? orNone(option) : option)
  const [one, unlimited, remove] = isUpdate
    ? ['', '', ' `none` removes it.']
    : [' Default 1.', ' Default: no limit.', '']
  return [
    integer('--max-hwids <count>', `Hardware ids that may be bound.${one}`, { min: 1, max: 1000 }),
    removable(
      integer('--max-sessions <count>', `Live sessions that may use it.${unlimited}${remove}`, {
        min: 1,
        max: 1_000_000
      })
    ),
    removable(time('--starts-at <time>', `Not valid before.${remove}`)),
    removable(time('--expires-at <time>', `Not valid after.${remove}`)),
    attributeOption
  ]
}

async function newLicense(invocation: Invocation): Promise<object> {
  const { io, args, options } = invocation
  const key = options.key === undefined ? {} : { key: await readKey(io, options.key, '--key') }
  return { ...args, ...key, ...membersOf(invocation, limits) }
}

function banCommand(verb: string, banned: boolean, summary: string): CommandSpec {
  return requestCommand({
    usage: `licenses ${verb} <licenseId> <hwid>`,
    summary,
    args: hwidArgs,
    examples: [`countersign licenses ${verb} lic_0123abcd PC-7`],
    request: `PUT ${address}/:licenseId/hwids/:hwid`,
    body: () => ({ banned }),
    show
  })
}

export const licenseCommands: readonly CommandSpec[] = [
  requestCommand({
    usage: 'licenses create <serviceId>',
    summary: 'Create a license.',
    details:
      'Its key is shown once, on stdout: the gateway stores only a keyed hash. `licenses import` creates many at once.',
    args: { serviceId: 'the service that it is for' },
    options: [
      text('--key <key>', 'Its key; `-` reads it from stdin. By default the gateway generates one.'),
      ...limitOptions(false)
    ],
    examples: ['countersign licenses create shop --max-hwids 2 --expires-at 2030-01-31 --attribute order=1007'],
    request: `POST ${address}`,
    body: newLicense,
    show,
    secret: 'key'
  }),
  listCommand({
    usage: 'licenses list',
    summary: 'List licenses.',
    examples: ['countersign licenses list --limit 20', 'countersign licenses list --all --json'],
    address,
    columns: columns({
      LICENSE: 'licenseId',
      SERVICE: 'serviceId',
      STATUS: 'status',
      HWIDS: ({ hwids, maxHwids }) => `${Array.isArray(hwids) ? hwids.length : 0}/${maxHwids}`,
      SESSIONS: 'maxSessions',
      STARTS: 'startsAt',
      EXPIRES: 'expiresAt',
      ATTRIBUTES: 'attributes'
    })
  }),
  one.show('Show a license and the hardware ids that are bound to it.'),
  requestCommand({
    usage: 'licenses update <licenseId>',
    summary: "Change a license's limits, dates or attributes.",
    args,
    options: limitOptions(true),
    examples: ['countersign licenses update lic_0123abcd --expires-at 2031-01-31 --max-sessions none'],
    request: `PATCH ${address}/:licenseId`,
    body: invocation => changesOf(invocation, limits),
    show
  }),
  one.set('suspend', { status: 'suspended' }, 'Suspend a license until it is resumed.'),
  one.set('resume', { status: 'active' }, 'Make a suspended or revoked license valid again.'),
  one.set('revoke', { status: 'revoked' }, 'Revoke a license, but keep its record.'),
  one.remove('Delete a license and its record.'),
  requestCommand({
    usage: 'licenses reset <licenseId> [hwid]',
    summary: 'Unbind one hardware id from a license, or all of them.',
    args: { ...hwidArgs, hwid: 'the one to unbind; by default all' },
    examples: ['countersign licenses reset lic_0123abcd', 'countersign licenses reset lic_0123abcd PC-7'],
    request: `DELETE ${address}/:licenseId/hwids/:hwid`,
    done: ({ args }) =>
      `licenses reset: ${args['hwid'] === undefined ? 'every hardware id is' : 'the hardware id is'} unbound`
  }),
  banCommand('ban', true, 'Ban a hardware id from a license.'),
  banCommand('unban', false, 'Lift the ban of a hardware id.'),
  {
    usage: 'licenses validate <serviceId> <key> [hwid]',
    summary: 'Check whether a license key is valid, as a session would.',
    details:
      'Binds a free hardware id if all else is right. Exit code 0 only for VALID. Acts as a client, with a ticket that it gets with ' +
      'the token, or with --credential.',
    args: {
      serviceId: 'the service',
      key: 'the license key; `-` reads it from stdin, because others can read a command line',
      hwid: 'the hardware id'
    },
    options: clientOptions,
    examples: [
      'countersign licenses validate shop ABCD-1234 PC-7',
      'countersign licenses validate shop - PC-7 < key.txt'
    ],
    run: async invocation => (await import('../validate.js')).validate(invocation)
  }
]
