import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { tempDir } from '../helper/process.js'
import { startCommands } from './helper.js'

const { gateway, ask, good, bad } = await startCommands(t)

t.test('connect', async t => {
  const file = join(tempDir(t), 'client.json')
  await good(t, ['clients', 'create', 'talker', '--save', file])
  await good(t, ['licenses', 'create', 'talk', '--key', 'a key with spaces'])
  const stdin = 'validate talk PC-7 a key with spaces\nheartbeat\nvalidate talk - nope\nhelp\nbye\nheartbeat\n'
  const out = await good(t, ['connect', '--credential', file], { stdin })
  t.match(out, /^← · \{"type":"challenge"/m, 'a challenge is not signed')
  t.match(out, /^→ ✓ \{"type":"authenticate"/m)
  t.match(out, /^← ✓ \{"type":"welcome"/m)
  t.match(out, /^ {2}validate: valid=true code=VALID/m)
  t.match(out, /^ {2}validate: valid=false code=NOT_FOUND/m)
  t.match(out, /^→ ✓ \{"type":"bye"/m)
  t.equal(out.match(/^ {2}heartbeat: /gm)?.length, 1, 'nothing after bye')

  const { clientId, keyId, secret } = JSON.parse(readFileSync(file, 'utf8'))
  const credential = { CLIENT_ID: clientId, KEY_ID: keyId, CLIENT_SECRET: secret }
  const args = ['connect', '--url', `${gateway.url.replace('http', 'ws')}/v1/ws`, '--json']
  const lines = await good(t, args, { env: credential, stdin: 'validate talk PC-7 a key with spaces' })
  t.match(JSON.parse(lines), { asked: 'validate', valid: true })

  const refused = await ask(['connect', '--json'], { env: credential, stdin: 'dance\nvalidate b@d x y\n' })
  t.equal(refused.code, 1)
  t.match(refused.err, /not understood[\s\S]+INVALID_MESSAGE/)

  await good(t, ['clients', 'update', 'talker', '--subscribe', 'talk', '--publish', 'talk'])
  const input = 'subscribe talk\npublish talk {"a":[1]}\nheartbeat\nunsubscribe talk\npublish talk 2\n'
  const answers = (await good(t, args, { env: credential, stdin: input }))
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  const asked = ['subscribe', 'publish', 'heartbeat', 'unsubscribe', 'publish']
  t.same(
    answers.map(line => line.asked).filter(name => name !== 'publication'),
    asked
  )
  t.match(
    answers.filter(line => line.asked === 'publication'),
    [{ channel: 'talk', data: { a: [1] }, offset: 1 }]
  )
  const shown = await good(t, args.slice(0, -1), { env: credential, stdin: 'subscribe talk\npublish talk {"a":1}\n' })
  t.match(shown, / publication: .*data=\{"a":1\}/, 'bug: data was printed as data=a=1')
  const denied = await ask(args, {
    env: credential,
    stdin: 'subscribe other\nsubscribe\npublish talk {\nunsubscribe x'
  })
  t.equal(denied.code, 1)
  t.match(denied.err, /PERMISSION_DENIED/)
  t.equal(denied.err.match(/not understood/g)?.length, 3)

  chmodSync(file, 0o644)
  t.match(await bad(t, 1, ['connect', '--credential', file]), /others can read .+: chmod 600/)
  t.match(await bad(t, 1, ['connect']), /set CLIENT_ID, KEY_ID and CLIENT_SECRET/)
  t.match(await bad(t, 1, ['connect', '--url', 'ftp://x'], { env: credential }), /--url must be like/)

  const mistyped = await ask(['connect'], { env: { ...credential, CLIENT_SECRET: `${secret}x` } })
  t.equal(mistyped.code, 1, 'a secret with a wrong checksum is not sent')
  t.match(mistyped.err, /CLIENT_SECRET: the checksum does not match/)
  t.notMatch(mistyped.err, secret)

  // Three attempts, with the pauses of PROTOCOL §5 between them.
  const wrong = await ask(['connect'], { env: { ...credential, CLIENT_SECRET: 'another secret' } })
  t.equal(wrong.code, 1)
  t.match(wrong.err, /AUTHENTICATION_FAILED.+are clientId, keyId and secret right/)
  t.notMatch(wrong.err, secret)

  const controller = new AbortController()
  const onOut = (text: string) => {
    if (text.includes('"welcome"')) controller.abort()
  }
  t.equal((await ask(['connect'], { env: credential, signal: controller.signal, onOut })).code, 130, 'Ctrl-C')
})
