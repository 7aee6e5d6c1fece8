import { createInterface } from 'node:readline'
import { type Command, type Context, Failure, type Flag } from '../command.js'
import { attributeFlag, changesOf, done, gatewayFlags, licenseArgument, listCommand, removal, show } from '../common.js'
import { showSecret } from '../credential.js'
import { path } from '../gateway.js'
import { columns } from '../output.js'

/** `countersign licenses …`, but import and export. */

const members = [
  'licenseId',
  'serviceId',
  'status',
  'maxHwids',
  'maxSessions',
  'startsAt',
  'expiresAt',
  'attributes',
  'hwids',
  'bannedHwids',
  'createdAt',
  'updatedAt'
]

const hwidArgument = { name: 'hwid', summary: 'the hardware id' }

/** Bounds and dates; in an update `none` takes one away. */
function boundFlags(update: boolean): readonly Flag[] {
  const orNone = update ? { orNone: true as const } : {}
  const word = update ? ' `none`: no more.' : ''
  return [
    {
      name: 'max-hwids',
      kind: 'integer',
      value: '<count>',
      member: 'maxHwids',
      min: 1,
      max: 1000,
      summary: `Hardware ids that it binds.${update ? '' : ' Default 1.'}`
    },
    {
      name: 'max-sessions',
      kind: 'integer',
      value: '<count>',
      member: 'maxSessions',
      min: 1,
      max: 1_000_000,
      ...orNone,
      summary: `Live sessions on it at one time.${update ? word : ' Default: any number.'}`
    },
    {
      name: 'starts-at',
      kind: 'time',
      value: '<time>',
      member: 'startsAt',
      ...orNone,
      summary: `Not good before.${word}`
    },
    {
      name: 'expires-at',
      kind: 'time',
      value: '<time>',
      member: 'expiresAt',
      ...orNone,
      summary: `Good until.${word}`
    },
    attributeFlag
  ]
}

async function patch(context: Context, body: unknown): Promise<number> {
  const answer = await context.gateway.call('PATCH', path`/v1/admin/licenses/${context.values.arg('licenseId')}`, body)
  await show(context, answer, members)
  return 0
}

function statusCommand(verb: string, status: string, summary: string): Command {
  return {
    path: ['licenses', verb],
    summary,
    args: [licenseArgument],
    flags: gatewayFlags,
    examples: [`countersign licenses ${verb} lic_0123abcd`],
    run: context => patch(context, { status })
  }
}

function banCommand(verb: string, banned: boolean, summary: string): Command {
  return {
    path: ['licenses', verb],
    summary,
    args: [licenseArgument, hwidArgument],
    flags: gatewayFlags,
    examples: [`countersign licenses ${verb} lic_0123abcd PC-7`],
    async run(context) {
      const { values, gateway } = context
      const address = path`/v1/admin/licenses/${values.arg('licenseId')}/hwids/${values.arg('hwid')}`
      await show(context, await gateway.call('PUT', address, { banned }), members)
      return 0
    }
  }
}

async function firstLine({ io }: Context): Promise<string> {
  for await (const line of createInterface({ input: io.stdin, crlfDelay: Number.POSITIVE_INFINITY })) return line
  throw new Failure('--key -: stdin is empty')
}

export const licenseCommands: readonly Command[] = [
  {
    path: ['licenses', 'create'],
    summary: 'Make a license.',
    details: 'Its key is shown once, on stdout: the gateway keeps a keyed hash of it. Many at once: licenses import.',
    args: [{ name: 'serviceId', summary: 'the service that it is for' }],
    flags: [
      {
        name: 'key',
        kind: 'text',
        value: '<key>',
        summary: 'Its key; `-` reads it from stdin. Default: the gateway makes one.'
      },
      ...boundFlags(false),
      ...gatewayFlags
    ],
    examples: ['countersign licenses create shop --max-hwids 2 --expires-at 2030-01-31 --attribute order=1007'],
    async run(context) {
      const { values, gateway } = context
      const given = values.text('key')
      const key = given === '-' ? await firstLine(context) : given
      const body = { serviceId: values.arg('serviceId'), ...(key === undefined ? {} : { key }), ...values.body() }
      await showSecret(context, members, 'key', () => gateway.call('POST', '/v1/admin/licenses', body))
      return 0
    }
  },
  listCommand({
    path: ['licenses', 'list'],
    summary: 'Show licenses.',
    address: '/v1/admin/licenses',
    columns: columns({
      LICENSE: 'licenseId',
      SERVICE: 'serviceId',
      STATUS: 'status',
      HWIDS: ({ hwids, maxHwids }) => `${Array.isArray(hwids) ? hwids.length : 0}/${maxHwids}`,
      SESSIONS: 'maxSessions',
      STARTS: 'startsAt',
      EXPIRES: 'expiresAt',
      ATTRIBUTES: 'attributes'
    }),
    examples: ['countersign licenses list --limit 20', 'countersign licenses list --all --json']
  }),
  {
    path: ['licenses', 'show'],
    summary: 'Show a license with the hardware ids that are bound to it.',
    args: [licenseArgument],
    flags: gatewayFlags,
    examples: ['countersign licenses show lic_0123abcd'],
    async run(context) {
      const address = path`/v1/admin/licenses/${context.values.arg('licenseId')}`
      await show(context, await context.gateway.call('GET', address), members)
      return 0
    }
  },
  {
    path: ['licenses', 'update'],
    summary: "Change a license's bounds, dates or attributes.",
    args: [licenseArgument],
    flags: [...boundFlags(true), ...gatewayFlags],
    examples: ['countersign licenses update lic_0123abcd --expires-at 2031-01-31 --max-sessions none'],
    run: context => patch(context, changesOf(context))
  },
  statusCommand('suspend', 'suspended', 'Stop a license until it is resumed.'),
  statusCommand('resume', 'active', 'Let a suspended or revoked license be good again.'),
  statusCommand('revoke', 'revoked', 'End a license, but keep its record.'),
  removal(
    ['licenses', 'delete'],
    'Delete a license and its record.',
    [licenseArgument],
    ({ values }) => path`/v1/admin/licenses/${values.arg('licenseId')}`,
    ['countersign licenses delete lic_0123abcd']
  ),
  {
    path: ['licenses', 'reset'],
    summary: 'Free the hardware ids that a license has bound: one, or all.',
    args: [licenseArgument, { ...hwidArgument, summary: 'the one to free; none: all', optional: true }],
    flags: gatewayFlags,
    examples: ['countersign licenses reset lic_0123abcd', 'countersign licenses reset lic_0123abcd PC-7'],
    async run(context) {
      const { values, gateway } = context
      const [hwid] = values.args('hwid')
      const all = path`/v1/admin/licenses/${values.arg('licenseId')}/hwids`
      await gateway.call('DELETE', hwid === undefined ? all : all + path`/${hwid}`)
      await done(context, `licenses reset: ${hwid === undefined ? 'every seat is' : 'the seat is'} free`)
      return 0
    }
  },
  banCommand('ban', true, 'Ban a hardware id from a license.'),
  banCommand('unban', false, 'Lift the ban of a hardware id.')
]
