import type { Command } from '../command.js'
import { clientArgument, gatewayFlags, removal } from '../common.js'
import { saveFlag, showSecret } from '../credential.js'
import { path } from '../gateway.js'
import { columns, isRecord, printJson, tablePrinter } from '../output.js'
import { startProgress } from '../progress.js'

/** `countersign keys …` */

const maxOverlapSeconds = 30 * 24 * 60 * 60

export const keyCommands: readonly Command[] = [
  {
    path: ['keys', 'create'],
    summary: 'Give a client a new key; its old ones live on for the overlap.',
    details:
      'The secret is shown once, on stdout, or saved to a file. After a leak: keys revoke ends the old key at once.',
    args: [clientArgument],
    flags: [
      {
        name: 'overlap',
        kind: 'seconds',
        value: '<seconds>',
        member: 'overlap',
        min: 0,
        max: maxOverlapSeconds,
        required: true,
        summary: 'How long the old keys live on: seconds, or 15m, 12h, 7d; at most 30d. 0 ends them now.'
      },
      {
        name: 'force',
        kind: 'switch',
        member: 'force',
        summary: 'Also while an earlier overlap still runs; the oldest keys may end at once.'
      },
      saveFlag,
      ...gatewayFlags
    ],
    examples: ['countersign keys create game-1 --overlap 1d --save game-1-new.json'],
    async run(context) {
      const { values, gateway } = context
      const address = path`/v1/admin/clients/${values.arg('clientId')}/keys`
      const names = ['clientId', 'keyId', 'previousExpiresAt']
      await showSecret(context, names, 'secret', () => gateway.call('POST', address, values.body()))
      return 0
    }
  },
  {
    path: ['keys', 'list'],
    summary: "Show a client's keys, never a secret.",
    args: [clientArgument],
    flags: gatewayFlags,
    examples: ['countersign keys list game-1'],
    async run({ io, values, gateway }) {
      const client = await gateway.call('GET', path`/v1/admin/clients/${values.arg('clientId')}`)
      const keys = Array.isArray(client['keys']) ? client['keys'].filter(isRecord) : []
      if (values.has('json')) await printJson(io, keys)
      else {
        const cols = { KEY: 'keyId', CREATED: 'createdAt', EXPIRES: 'expiresAt', REVOKED: 'revokedAt' }
        await tablePrinter(io, columns(cols))(keys)
      }
      return 0
    }
  },
  {
    path: ['keys', 'reencrypt'],
    summary: 'Seal everything anew under the master key in use, after it was changed.',
    details:
      'Put the new master key first in COUNTERSIGN_MASTER_KEY and the old one behind it, restart the gateways, run this,' +
      ' wait until tickets made before have ended (24 h at most), then take the old one away. It can be run again.',
    args: [],
    flags: gatewayFlags,
    examples: ['countersign keys reencrypt'],
    async run({ io, values, gateway }) {
      const progress = startProgress(io, 'keys')
      let resealed = 0
      for (let after: string | undefined = ''; after !== undefined; ) {
        const query: string = after === '' ? '' : `?after=${encodeURIComponent(after)}`
        const page = await gateway.call('POST', `/v1/admin/keys/reencrypt${query}`)
        const count = Number(page['resealed'])
        resealed += count
        await progress.add(count)
        after = typeof page['next'] === 'string' ? page['next'] : undefined
      }
      await progress.finish()
      if (values.has('json')) await printJson(io, { resealed })
      return 0
    }
  },
  removal(
    ['keys', 'revoke'],
    'End a key, or a ticket by its keyId. Its sessions end within 2 seconds.',
    [clientArgument, { name: 'keyId', summary: 'the key' }],
    ({ values }) => path`/v1/admin/clients/${values.arg('clientId')}/keys/${values.arg('keyId')}`,
    ['countersign keys revoke game-1 k_1a2b3c']
  )
]
