import type { CommandSpec } from '../command.js'
import { saveOption } from '../credential.js'
import { path } from '../gateway.js'
import { isRecord } from '../json.js'
import { gatewayOptions, seconds, toggle } from '../options.js'
import { columns, note, printJson, tablePrinter } from '../output.js'
import { startProgress } from '../progress.js'
import { membersOf, requestCommand } from '../resource.js'

const maxOverlapSeconds = 30 * 24 * 60 * 60
const args = { clientId: 'the client' }

const listKeys: CommandSpec = {
  usage: 'keys list <clientId>',
  summary: "List a client's keys, without their secrets.",
  args,
  options: gatewayOptions,
  examples: ['countersign keys list game-1'],
  async run({ io, args, options, gateway }) {
    const client = await gateway.call('GET', path`/v1/admin/clients/${args['clientId'] ?? ''}`)
    const keys = Array.isArray(client['keys']) ? client['keys'].filter(isRecord) : []
    const titles = { KEY: 'keyId', CREATED: 'createdAt', EXPIRES: 'expiresAt', REVOKED: 'revokedAt' }
    await (options.json ? printJson(io, keys) : tablePrinter(io, columns(titles))(keys))
    return 0
  }
}

const reencryptKeys: CommandSpec = {
  usage: 'keys reencrypt',
  summary: 'Re-encrypt everything with the current master key, after it was changed.',
  details:
    'Give every gateway the new master key behind the old one in COUNTERSIGN_MASTER_KEY, then every gateway the new one' +
    ' first, run this, then remove the old key. It can be repeated. Exit code 1 if something does not open.',
  options: gatewayOptions,
  examples: ['countersign keys reencrypt'],
  async run({ io, options, gateway }) {
    const progress = startProgress(io, 'records')
    let resealed = 0
    let unreadable = 0
    for (let after: string | undefined = ''; after !== undefined; ) {
      const query: string = after === '' ? '' : `?after=${encodeURIComponent(after)}`
      const page = await gateway.call('POST', `/v1/admin/keys/reencrypt${query}`)
      const count = Number(page['resealed'])
      resealed += count
      unreadable += Number(page['unreadable'] ?? 0)
      await progress.add(count)
      after = typeof page['next'] === 'string' ? page['next'] : undefined
    }
    await progress.finish()
    if (options.json) await printJson(io, { resealed, ...(unreadable > 0 ? { unreadable } : {}) })
    if (unreadable === 0) return 0
    await note(
      io,
      `countersign: ${unreadable} values do not open under any of the master keys: the gateway's log names them`
    )
    return 1
  }
}

export const keyCommands: readonly CommandSpec[] = [
  requestCommand({
    usage: 'keys create <clientId>',
    summary: 'Create a new key for a client; its old keys stay valid for the overlap.',
    details:
      'The secret is shown once, on stdout, or saved to a file. After a leak, `keys revoke` ends the old key at once.',
    args,
    options: [
      seconds(
        '--overlap <seconds>',
        'How long the old keys stay valid: seconds, or 15m, 12h, 7d; at most 30d. 0 ends them now.',
        { min: 0, max: maxOverlapSeconds }
      ).makeOptionMandatory(),
      toggle('--force', 'Even while an earlier overlap still runs; the oldest keys may end at once.'),
      saveOption
    ],
    examples: ['countersign keys create game-1 --overlap 1d --save game-1-new.json'],
    request: 'POST /v1/admin/clients/:clientId/keys',
    body: invocation => membersOf(invocation, ['overlap', 'force']),
    show: ['clientId', 'keyId', 'previousExpiresAt'],
    secret: 'secret'
  }),
  listKeys,
  reencryptKeys,
  requestCommand({
    usage: 'keys revoke <clientId> <keyId>',
    summary: 'Revoke a key, or a ticket by its keyId. Its sessions end within 2 seconds.',
    args: { ...args, keyId: 'the key' },
    examples: ['countersign keys revoke game-1 k_1a2b3c'],
    request: 'DELETE /v1/admin/clients/:clientId/keys/:keyId'
  })
]
