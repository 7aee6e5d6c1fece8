import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { tempDir } from '../helper/process.js'
import { startCommands } from './helper.js'

/** Commands that act as a client: with a ticket, or with a credential. */

const { gateway, ask, good, json, bad } = await startCommands(t, { COUNTERSIGN_PRESENCE: 'lobby' })

t.test('subscribe prints a line for each publication', async t => {
  for (const n of [1, 2, 3]) await good(t, ['publish', 'news', `{"n":${n}}`])
  const lines = await good(t, ['subscribe', 'news', '--last', '2', '--count', '2', '--json'])
  t.match(
    lines
      .trim()
      .split('\n')
      .map(line => JSON.parse(line)),
    [
      { channel: 'news', offset: 2, data: { n: 2 } },
      { offset: 3, data: { n: 3 } }
    ]
  )
  t.match(await good(t, ['subscribe', 'news', '--last', '1', '--count', '1']), /^\S+ {2}- {2}\{"n":3\}\n$/)

  const controller = new AbortController()
  const onErr = () => void ask(['publish', 'news', '"live \\u001b[2J"'])
  const onOut = () => controller.abort()
  const live = await ask(['subscribe', 'news'], { signal: controller.signal, onErr, onOut })
  t.equal(live.code, 0, 'Ctrl-C ends it')
  t.match(live.out, /"live \\u001b\[2J"\n$/, 'control characters are escaped')
  t.match(live.err, /^subscribed to news\n/)
})

t.test('subscribe reports a refusal', async t => {
  t.match(
    await bad(t, 1, ['subscribe', 'client:other']),
    /^countersign: PERMISSION_DENIED for channel client:other: .+\n$/
  )
  t.match(await bad(t, 2, ['subscribe', 'no good']), /argument 'channel' must be 1 to 128/)
  t.match(await bad(t, 2, ['subscribe', 'news', '--last', '0']), /--last/)
  t.match(await bad(t, 1, ['subscribe', 'news', '--token', 'x'.repeat(40)]), /does not accept the token/)
})

t.test('acts with a credential, or as the client that the token permits', async t => {
  const file = join(tempDir(t), 'client.json')
  await good(t, ['clients', 'create', 'reader', '--subscribe', 'news', '--save', file])
  await good(t, ['publish', 'news', '1'])
  const once = ['--last', '1', '--count', '1']
  await good(t, ['subscribe', 'news', '--credential', file, ...once])
  t.match(await bad(t, 1, ['subscribe', 'other', '--credential', file]), /PERMISSION_DENIED/)
  const { token } = await json(t, [
    'tokens',
    'create',
    'bot',
    '--scopes',
    'tickets',
    '--clients',
    'bot-*',
    '--subscribe',
    '*'
  ])
  t.match(await bad(t, 1, ['subscribe', 'news', '--token', token, ...once]), /patterns of this token do not match cli-/)
  await good(t, ['subscribe', 'news', '--token', token, '--client', 'bot-1', ...once])
})

t.test('presence lists the sessions in a channel', async t => {
  const controller = new AbortController()
  let isJoined = () => {}
  const joined = new Promise<void>(resolve => {
    isJoined = resolve
  })
  const watching = ask(['subscribe', 'lobby', '--client', 'watcher'], { signal: controller.signal, onErr: isJoined })
  await joined
  let present = await json(t, ['presence', 'lobby'])
  for (let i = 0; i < 100 && present.count === 0; i++) present = await json(t, ['presence', 'lobby'])
  t.match(present, { channel: 'lobby', count: 1, sessions: [{ clientId: 'watcher', attributes: {} }] })
  const shown = await ask(['presence', 'lobby'])
  t.match(shown.out, /^SESSION +CLIENT +ATTRIBUTES\n\S+ +watcher/)
  t.match(shown.err, /^1 in all\n$/)
  controller.abort()
  t.equal((await watching).code, 0)
  t.match(await bad(t, 1, ['presence', 'other']), /COUNTERSIGN_PRESENCE/)
})

t.test('licenses validate binds as a session would, and exits with 1 unless VALID', async t => {
  await good(t, ['licenses', 'create', 'shop', '--key', 'ABCD 1234', '--expires-at', '2100-01-01'])
  const out = await good(t, ['licenses', 'validate', 'shop', 'ABCD 1234', 'PC-7'])
  t.match(out, /^valid +true\ncode +VALID\nserviceId +shop\n/)
  t.match(out, /^expiresAt +2100-01-01/m)
  t.match(await json(t, ['licenses', 'validate', 'shop', '-', 'PC-7'], { stdin: 'ABCD 1234\n' }), { boundHwids: 1 })
  const other = await ask(['licenses', 'validate', 'shop', 'ABCD 1234', 'PC-8', '--json'])
  t.equal(other.code, 1)
  t.match(JSON.parse(other.out), { valid: false, code: 'HWID_MISMATCH' })
  t.equal((await ask(['licenses', 'validate', 'shop', 'none'])).code, 1)
  t.match(await bad(t, 1, ['licenses', 'validate', 'shop', '-'], { stdin: '' }), /stdin is empty/)
  t.match(await bad(t, 2, ['licenses', 'validate', 'b@d', 'x']), /argument 'serviceId'/)
})

t.test('a command that is cut short ends with 130', async t => {
  const controller = new AbortController()
  controller.abort()
  t.equal((await ask(['presence', 'lobby'], { signal: controller.signal })).code, 130)
  t.ok(readFileSync(join(gateway.dataDir, 'admin.token')))
})
