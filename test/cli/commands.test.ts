import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { table } from '../../src/cli/table.js'
import { environmentSchema } from '../../src/config/load.js'
import { run, runGateway, tempDir } from '../helper/process.js'
import { freePort, startRedis } from '../helper/redis-server.js'
import { connectWire } from '../helper/wire.js'
import { cli, type RunOptions } from './io.js'

const gateway = await runGateway(t, join(tempDir(t), 'data'))
const adminToken = readFileSync(join(gateway.dataDir, 'admin.token'), 'utf8').trim()
/** As someone who runs it has it: an address and a data folder in the environment. */
const env = { COUNTERSIGN_PORT: new URL(gateway.url).port, COUNTERSIGN_DATA_DIR: gateway.dataDir }

const ask = (args: readonly string[], options: RunOptions = {}) =>
  cli(args, { ...options, env: { ...env, ...options.env } })

/** A command that must do well. @returns its stdout */
async function good(t: Test, args: readonly string[], options?: RunOptions): Promise<string> {
  const { code, out, err } = await ask(args, options)
  t.equal(code, 0, `${args.join(' ')}: ${err}`)
  t.notOk(`${out}${err}`.includes(adminToken), 'the admin token is never shown')
  return out
}

async function json(t: Test, args: readonly string[], options?: RunOptions) {
  return JSON.parse(await good(t, [...args, '--json'], options))
}

/** A command that must fail. @returns its stderr */
async function bad(t: Test, code: number, args: readonly string[], options?: RunOptions): Promise<string> {
  const result = await ask(args, options)
  t.equal(result.code, code, args.join(' '))
  t.equal(result.out, '', 'nothing on stdout')
  t.notOk(result.err.includes(adminToken), 'the admin token is never shown')
  return result.err
}

/** Something on a port that is no gateway, or behaves badly. */
async function serveHttp(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('clients', async t => {
  const made = await ask(['clients', 'create', 'game-1', '--services', 'shop-*,vault', '--attribute', 'team=blue'])
  t.equal(made.code, 0)
  const secret = /^secret: (cs_\S+)$/m.exec(made.out)?.[1]
  t.ok(secret, 'the secret is on stdout')
  t.match(made.err, /shown this once/)
  t.notOk(made.err.includes(secret ?? '?'), 'and not on stderr')
  t.match(made.out, /^services +shop-\*,vault$/m)
  t.match(made.out, /^createdAt +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m, 'short times')

  t.match(
    await bad(t, 1, ['clients', 'create', 'game-1']),
    /^countersign: the client game-1 exists already \(CONFLICT\)\n$/
  )
  t.match(await json(t, ['clients', 'create', 'game-2']), { clientId: 'game-2', secret: /^cs_/ })
  await good(t, ['clients', 'create'])

  t.match(
    await good(t, ['clients', 'list']),
    /^CLIENT +STATUS[^\n]+\n(?:.+\n)*game-1 +active +1 +- +- +shop-\*,vault +team=blue\n/
  )
  const page = await ask(['clients', 'list', '--limit', '2'])
  t.match(page.err, /there is more: --after \S+, or --all/)
  t.match(await json(t, ['clients', 'list', '--limit', '1']), { items: [{}], next: String })
  t.equal((await json(t, ['clients', 'list', '--all'])).length, 3)
  t.match(await good(t, ['clients', 'list', '--all']), /game-2/)

  t.match(await good(t, ['clients', 'show', 'game-1']), /^status +active$/m)
  t.match(await json(t, ['clients', 'update', 'game-1', '--services', '', '--publish', 'a', '--publish', 'b']), {
    services: [],
    publish: ['a', 'b']
  })
  t.match(await bad(t, 2, ['clients', 'update', 'game-1']), /nothing to change/)
  t.match(await json(t, ['clients', 'suspend', 'game-1']), { status: 'suspended' })
  t.match(await json(t, ['clients', 'resume', 'game-1']), { status: 'active' })
  await good(t, ['clients', 'delete', 'game-2'])
  t.match(await bad(t, 1, ['clients', 'show', 'game-2']), 'there is no client game-2 (NOT_FOUND)')
})

t.test('a credential can go straight into a file', async t => {
  const file = join(tempDir(t), 'saved.json')
  const out = await good(t, ['clients', 'create', 'saved', '--save', file])
  t.equal(statSync(file).mode & 0o777, 0o600)
  const { secret } = JSON.parse(readFileSync(file, 'utf8'))
  t.match(secret, /^cs_/)
  t.notOk(out.includes(secret), 'and is not shown')

  t.match(await bad(t, 1, ['clients', 'create', 'other', '--save', file]), /exists: name a new file/)
  await bad(t, 1, ['clients', 'show', 'other'])
  const unused = `${file}.2`
  await bad(t, 1, ['clients', 'create', 'saved', '--save', unused])
  t.notOk(existsSync(unused), 'a refusal leaves no file')
})

t.test('keys', async t => {
  const first = await json(t, ['clients', 'create', 'rotating'])
  t.match(await bad(t, 2, ['keys', 'create', 'rotating']), /--overlap is missing/)
  t.match(await bad(t, 2, ['keys', 'create', 'rotating', '--overlap', '31d']), /from 0 to 2592000/)
  const out = await good(t, ['keys', 'create', 'rotating', '--overlap', '1h'])
  t.match(out, /^previousExpiresAt/m)
  t.match(out, /^secret: cs_/m)
  t.match(await bad(t, 1, ['keys', 'create', 'rotating', '--overlap', '60']), /use force/)
  const next = await json(t, ['keys', 'create', 'rotating', '--overlap', '60', '--force'])
  t.match(await good(t, ['keys', 'list', 'rotating']), new RegExp(`^KEY +CREATED[^\\n]+\\n(?:.+\\n)*${first.keyId}`))
  await good(t, ['keys', 'revoke', 'rotating', first.keyId])
  const keys = await json(t, ['keys', 'list', 'rotating'])
  t.equal(keys.length, 3)
  t.notMatch(JSON.stringify(keys), next.secret)
  t.match(await bad(t, 1, ['keys', 'revoke', 'rotating', 'k_none']), /NOT_FOUND/)
})

t.test('licenses', async t => {
  const args = ['licenses', 'create', 'shop', '--max-hwids', '2', '--max-sessions', '3', '--expires-at', '2030-01-31']
  const { licenseId, ...made } = await json(t, args)
  t.match(made, { key: String, maxHwids: 2, maxSessions: 3, expiresAt: '2030-01-31T00:00:00.000Z' })
  const typed = await ask(['licenses', 'create', 'shop', '--key', '-'], { stdin: 'FROM-STDIN\nrest\n' })
  t.match(typed.out, /^key: FROM-STDIN$/m)
  t.match(typed.err, /Keep the key/)
  t.notMatch(typed.err, 'FROM-STDIN')
  t.match(await bad(t, 1, ['licenses', 'create', 'shop', '--key', 'FROM-STDIN']), /has a license with this key/)

  t.match(
    await good(t, ['licenses', 'list']),
    /^LICENSE +SERVICE +STATUS +HWIDS.+\n(?:.+\n)*lic_\w+ +shop +active +0\/2 +3 +- +2030-01-31T00:00:00Z/
  )
  t.match(
    await json(t, [
      'licenses',
      'update',
      licenseId,
      '--max-sessions',
      'none',
      '--expires-at',
      'none',
      '--max-hwids',
      '5'
    ]),
    { maxHwids: 5, maxSessions: undefined, expiresAt: undefined }
  )
  t.match(await json(t, ['licenses', 'suspend', licenseId]), { status: 'suspended' })
  t.match(await json(t, ['licenses', 'resume', licenseId]), { status: 'active' })
  t.match(await json(t, ['licenses', 'ban', licenseId, 'PC/7 é']), { bannedHwids: ['PC/7 é'] })
  t.match(await json(t, ['licenses', 'unban', licenseId, 'PC/7 é']), { bannedHwids: [] })
  t.match(await good(t, ['licenses', 'reset', licenseId]), /every seat is free/)
  t.match(await bad(t, 1, ['licenses', 'reset', licenseId, 'PC-9']), /not bound/)
  t.match(
    await bad(t, 1, ['licenses', 'reset', licenseId, '..']),
    /cannot stand in an address/,
    'not the license itself'
  )
  t.match(await json(t, ['licenses', 'revoke', licenseId]), { status: 'revoked' })
  t.match(await good(t, ['licenses', 'show', licenseId]), /^status +revoked$/m)
  await good(t, ['licenses', 'delete', licenseId])
  await bad(t, 1, ['licenses', 'show', licenseId])
})

t.test('tokens and tickets', async t => {
  t.match(await bad(t, 2, ['tokens', 'create', 'shop', '--scopes', 'tickets,root']), /"root" is none of admin, publish/)
  const made = await json(t, [
    'tokens',
    'create',
    'shop',
    '--scopes',
    'tickets',
    '--clients',
    'web-*',
    '--services',
    's-*'
  ])
  t.match(made, { name: 'shop', scopes: ['tickets'], clients: ['web-*'] })
  t.match(await good(t, ['tokens', 'list']), new RegExp(`${made.tokenId} +shop +tickets +web-\\*`))
  t.notMatch(await good(t, ['tokens', 'list', '--json']), made.token)

  const backend = { env: { COUNTERSIGN_ADMIN_TOKEN: made.token } }
  t.match(await json(t, ['tickets', 'create', 'web-1', '--ttl', '10m', '--services', 's-1'], backend), {
    clientId: 'web-1',
    secret: String
  })
  t.match(await bad(t, 1, ['tickets', 'create', 'game-1'], backend), /gives no tickets for the client game-1/)
  t.match(await bad(t, 1, ['clients', 'list'], backend), /PERMISSION_DENIED/)
  await good(t, ['tokens', 'delete', made.tokenId])
  const refused = await bad(t, 1, ['tickets', 'create', 'web-1'], backend)
  t.match(refused, /does not take the token from COUNTERSIGN_ADMIN_TOKEN/)
  t.notMatch(refused, made.token)
})

t.test('sessions', async t => {
  const credential = await json(t, ['clients', 'create', 'online'])
  const wire = await connectWire(t, `${gateway.url.replace('http', 'ws')}/v1/ws`)
  wire.authenticate({ ...credential, attributes: { app: '\u001b[2Jgone\u202e' } })
  const { sessionId } = await wire.next('welcome')
  t.match(await good(t, ['sessions', 'list', '--client', 'online']), new RegExp(`^${sessionId} +online`, 'm'))
  t.match(await json(t, ['sessions', 'list', '--client', 'nobody']), { items: [] })
  await good(t, ['sessions', 'end', String(sessionId)])
  t.match(await wire.next('error'), { code: 'SESSION_REVOKED' })
  t.match(await bad(t, 1, ['sessions', 'end', '-AAAAAAAAAAAAAAAAAAAAA']), /there is no session -A/, 'a dash is no flag')
})

t.test('publish', async t => {
  t.match(await good(t, ['publish', 'news', '{"text":"hello"}']), /^offset +1\nepoch +\S+\n$/)
  const published = await json(t, ['publish', 'news', '"once"', '--key', 'k'])
  t.match(published, { offset: 2, epoch: /./ })
  t.match(await json(t, ['publish', 'news', '"once"', '--key', 'k']), { ...published, duplicate: true })
  t.match(await bad(t, 1, ['publish', 'news', '"twice"', '--key', 'k']), /other data \(BAD_REQUEST\)/)
  t.match(await bad(t, 2, ['publish', 'news', 'hello']), /not JSON. A text stands in quotes of its own/)
  t.match(await bad(t, 1, ['publish', 'a b', '1']), /BAD_REQUEST/)
})

t.test('what strangers wrote cannot play with the terminal', async t => {
  const items = [{ clientId: 'x', attributes: { app: '\u001b[2Jgone\u202e\n' } }]
  const url = await serveHttp(t, (_request, response) => response.end(JSON.stringify({ items })))
  const out = await good(t, ['clients', 'list', '--url', url])
  t.match(out, 'app=\\u001b[2Jgone\\u202e\\u000a')
})

t.test('the audit log', async t => {
  t.match(await good(t, ['audit', 'list', '--limit', '3']), /^SEQ +AT +ACTOR +ACTION +TARGET +DETAIL\n1 /)
  t.match(await good(t, ['audit', 'verify']), /^✓ all \d+ entries hold\n$/)
  t.match(await json(t, ['audit', 'verify']), { entries: Number })
  const url = await serveHttp(t, (_request, response) => response.end('{"entries":7,"brokenAt":8}'))
  const broken = await ask(['audit', 'verify', '--url', url])
  t.equal(broken.code, 1)
  t.match(broken.out, /✗ entry 8 does not hold/)
})

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
  const said = 'subscribe talk\npublish talk {"a":[1]}\nheartbeat\nunsubscribe talk\npublish talk 2\n'
  const heard = (await good(t, args, { env: credential, stdin: said }))
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  const asked = ['subscribe', 'publish', 'heartbeat', 'unsubscribe', 'publish']
  t.same(
    heard.map(line => line.asked).filter(word => word !== 'publication'),
    asked
  )
  t.match(
    heard.filter(line => line.asked === 'publication'),
    [{ channel: 'talk', data: { a: [1] }, offset: 1 }]
  )
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
  t.match(await bad(t, 1, ['connect', '--url', 'ftp://x'], { env: credential }), /--url is like/)

  // Three tries, with the pauses of PROTOCOL §5 between them.
  const wrong = await ask(['connect'], { env: { ...credential, CLIENT_SECRET: `${secret}x` } })
  t.equal(wrong.code, 1)
  t.match(wrong.err, /AUTHENTICATION_FAILED.+are clientId, keyId and secret right/)
  t.notMatch(wrong.err, secret)

  const controller = new AbortController()
  const onOut = (text: string) => {
    if (text.includes('"welcome"')) controller.abort()
  }
  t.equal((await ask(['connect'], { env: credential, signal: controller.signal, onOut })).code, 130, 'Ctrl-C')
})

t.test('what goes wrong on the way says what to do', async t => {
  const url = `http://127.0.0.1:${await freePort()}`
  t.match(
    await bad(t, 1, ['clients', 'list', '--url', url]),
    new RegExp(`^countersign: nothing answers at ${url} \\(ECONNREFUSED\\): is the gateway running.+\\n$`)
  )
  const flag = await ask(['clients', 'list', '--token', 'wrong-token-0123456789-0123456789'])
  t.equal(flag.code, 1)
  t.match(flag.err, /warning: --token can be read by others/)
  t.match(flag.err, /does not take the token from --token/)
  t.notMatch(flag.err, 'wrong-token')
  t.match(await bad(t, 1, ['clients', 'list', '--data-dir', tempDir(t)]), /no token: there is no .+admin\.token/)
  t.match(await bad(t, 1, ['clients', 'list'], { env: { COUNTERSIGN_ADMIN_TOKEN: 'töken' } }), /unprintable/)
  t.match(await bad(t, 1, ['clients', 'list', '--url', 'gateway']), /--url is like https/)
  const page = await serveHttp(t, (_request, response) => response.writeHead(502).end('<html>'))
  t.match(await bad(t, 1, ['clients', 'list', '--url', page]), /is no countersign gateway \(status 502\)/)
  const moved = await serveHttp(t, (_request, response) => response.writeHead(301, { location: 'https://x/' }).end())
  t.match(await bad(t, 1, ['clients', 'list', '--url', moved]), 'sends on to https://x/')
  const stuck = await serveHttp(t, (_request, response) => response.end('{"items":[{}],"next":"a"}'))
  t.match((await ask(['clients', 'list', '--all', '--url', stuck])).err, /the same page twice/)

  const urls: string[] = []
  const fake: typeof fetch = async input => {
    urls.push(String(input))
    throw new TypeError('fetch failed')
  }
  for (const more of [
    { COUNTERSIGN_HOST: '0.0.0.0' },
    { COUNTERSIGN_HOST: '::', COUNTERSIGN_TLS_CERT: 'x' },
    { COUNTERSIGN_HOST: 'fd00::1' },
    { COUNTERSIGN_PORT: 'tcp://10.0.0.1:80' }
  ]) {
    await ask(['audit', 'verify'], { env: more, fetch: fake })
  }
  t.same(
    urls.map(each => new URL(each).origin),
    [
      gateway.url,
      `https://[::1]:${env.COUNTERSIGN_PORT}`,
      `http://[fd00::1]:${env.COUNTERSIGN_PORT}`,
      'http://127.0.0.1:8080'
    ]
  )
  t.match((await ask(['audit', 'verify', '--url', 'http://gateway.example'], { fetch: fake })).err, /unencrypted/)
})

t.test('what is not understood is exit code 2, and names the help', async t => {
  const lines: [string[], RegExp][] = [
    [['dance'], /there is no command "dance"\. Try: countersign help/],
    [['clients', 'dance'], /there is no command "clients dance"/],
    [['clients'], /^countersign clients <verb>/],
    [['clients', 'show'], /<clientId> is missing: the client\. Try: countersign clients show --help/],
    [['clients', 'show', 'a', 'b'], /too many arguments/],
    [['clients', 'show', ''], /<clientId> is empty/],
    [['clinets'], /there is no command "clinets"\. There is: countersign clients\. Try/],
    [['keys', 'rotate', 'a'], /There is: countersign keys create\./],
    [['licenses', 'susp'], /There is: countersign licenses suspend\./],
    [['licenses', 'create', 's', '--expires', '1'], /there is no flag --expires here; there is --expires-at/],
    [['clients', 'list', '--jsno'], /there is --json/],
    [['clients', 'list', '--dance'], /there is no flag --dance here\. Try/],
    [['clients', 'list', '--limit'], /--limit needs a value: <count>/],
    [['clients', 'list', '--limit', 'x'], /--limit: from 1 to 1000, not "x"/],
    [['clients', 'list', '--limit=1', '--limit=2'], /given twice/],
    [['clients', 'list', '--json=1'], /--json takes no value/],
    [['clients', 'create', '--attribute', 'x'], /--attribute: name=value/],
    [['licenses', 'create', 's', '--expires-at', '2030-02-31'], /--expires-at: a time like/],
    [['licenses', 'create', 's', '--expires-at', '2030-01-01T00:00:00'], /with its zone/],
    [['licenses', 'import', 'keys.txt'], /--format is missing: csv, json, ndjson/],
    [['completion', 'tcsh'], /<shell> is one of bash, zsh, fish/]
  ]
  for (const [args, text] of lines) t.match(await bad(t, 2, args), text)
})

t.test('help: every command has a text, an example and its flags', async t => {
  const general = await good(t, ['help'])
  t.equal(await good(t, ['--help']), general)
  for (const { path, flags, summary, examples } of table) {
    const [noun] = path
    t.match(general, new RegExp(`^ {2}${noun} `, 'm'))
    const help = await good(t, [...path, '--help'])
    t.equal(await good(t, ['help', ...path]), help)
    t.match(help, `countersign ${path.join(' ')}`)
    t.match(help.replace(/\s+/g, ' '), summary)
    t.ok(examples.length > 0 && examples.every(each => help.includes(each)), `${path.join(' ')} has an example`)
    t.ok(examples.some(each => each.includes(`countersign ${path.join(' ')}`)))
    for (const { name } of flags) t.match(help, `--${name}`)
    t.equal(new Set(flags.map(({ name }) => name)).size, flags.length)
  }
  t.match(await good(t, ['clients', '--help']), /Verbs[\s\S]+suspend/)
  t.match(await good(t, ['version']), /^\d+\.\d+\.\d+\n$/)
})

t.test('docs/cli.md is what the table says', async t => {
  const fresh = execFileSync(process.execPath, ['scripts/generate-cli-docs.mjs', '--print'], { encoding: 'utf8' })
  t.equal(readFileSync('docs/cli.md', 'utf8'), fresh, 'run: node scripts/generate-cli-docs.mjs')
})

t.test('completion', async t => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const script = await good(t, ['completion', shell])
    for (const word of ['licenses', 'suspend', 'max-hwids', 'doctor']) t.match(script, word, `${shell}: ${word}`)
    if (spawnSync(shell, ['-c', 'true']).status !== 0) continue
    const { status, stderr } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' })
    t.equal(status, 0, `${shell} reads it: ${stderr}`)
  }
  const bash = await good(t, ['completion', 'bash'])
  const replies = (words: string) => {
    const list = words.split(' ')
    const script = `${bash}\nCOMP_WORDS=(${list.map(each => `'${each}'`).join(' ')}); COMP_CWORD=${list.length - 1}; _countersign; echo "\${COMPREPLY[@]}"`
    return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim()
  }
  t.equal(replies('countersign li'), 'licenses')
  t.equal(replies('countersign clients s'), 'show suspend')
  t.equal(replies('countersign licenses create shop --max'), '--max-hwids --max-sessions')
  t.equal(replies('countersign completion f'), 'fish')
})

t.test('config: each value with where it is from, and no secret', async t => {
  const cwd = tempDir(t)
  writeFileSync(join(cwd, '.env'), 'COUNTERSIGN_PORT=1111\nCOUNTERSIGN_HOST=10.0.0.1\nCOUNTERSIGN_LOG_LEVEL=warn\n')
  const back = process.cwd()
  process.chdir(cwd)
  t.teardown(() => process.chdir(back))
  const secrets = {
    COUNTERSIGN_MASTER_KEY: Buffer.alloc(32, 9).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: 'x'.repeat(40)
  }
  const options = {
    env: { ...secrets, COUNTERSIGN_HOST: '10.0.0.2', COUNTERSIGN_PORT: '2222', COUNTERSIGN_STORE: 'redis://u:hidden@h' }
  }
  const shown = await cli(['config', '--port', '3333'], options)
  t.equal(shown.code, 0)
  t.match(shown.out, /^COUNTERSIGN_PORT +3333 +flag$/m)
  t.match(shown.out, /^COUNTERSIGN_HOST +10\.0\.0\.2 +environment$/m)
  t.match(shown.out, /^COUNTERSIGN_LOG_LEVEL +warn +\.env$/m)
  t.match(shown.out, /^COUNTERSIGN_DRAIN_SECONDS +10 +default$/m)
  t.match(shown.out, /^COUNTERSIGN_STORE +redis:\/\/\*\*\*@h +environment$/m)
  for (const secret of [...Object.values(secrets), 'hidden']) t.notMatch(shown.out + shown.err, secret)
  const { settings, faults } = JSON.parse((await cli(['config', '--json'], options)).out)
  t.same(
    settings.map(({ name }: { name: string }) => name),
    Object.keys(environmentSchema.properties)
  )
  t.same(faults, [])

  const wrong = await cli(['config', '--port', 'x'], { env: { COUNTERSIGN_PROT: '1' } })
  t.equal(wrong.code, 1)
  t.match(wrong.err, /2 faults:[\s\S]+COUNTERSIGN_PROT[\s\S]+COUNTERSIGN_PORT/)
  const odd = { env: { COUNTERSIGN_STORE: 'redis+x://u:hidden@h' } }
  for (const name of ['config', 'doctor']) {
    const { code, out, err } = await cli([name], odd)
    t.equal(code, 1)
    t.match(out + err, 'redis+x://***@h')
  }
  t.equal((await cli(['config', '--dance'])).code, 1, 'as serve has it')
})

t.test('doctor, with the embedded store', async t => {
  const running = await good(t, ['doctor'])
  t.match(running, /✓ store: embedded; a running gateway works in /)
  t.match(running, /✓ port: a gateway answers at .+, and is ready/)
  t.match(running, /✓ data folder: .+closed to others/)

  const dataDir = join(tempDir(t), 'data')
  const away = { env: { COUNTERSIGN_DATA_DIR: dataDir, COUNTERSIGN_PORT: '0' } }
  t.match(await json(t, ['doctor'], away), { ok: true })
  t.notOk(existsSync(dataDir), 'it makes nothing')

  const stopped = await runGateway(t, dataDir)
  stopped.child.kill('SIGTERM')
  await stopped.ended
  t.match(
    await good(t, ['doctor'], away),
    /✓ store: embedded, 1 changes[\s\S]+✓ key ring: the master key opens the store/
  )
  chmodSync(join(dataDir, 'master.key'), 0o644)
  const other = Buffer.alloc(32, 1).toString('base64')
  const taken = await serveHttp(t, (_request, response) => response.end('hello'))
  const sick = await ask(['doctor'], {
    env: { ...away.env, COUNTERSIGN_MASTER_KEY: other, COUNTERSIGN_PORT: new URL(taken).port }
  })
  t.equal(sick.code, 1)
  t.match(sick.out, /✗ data folder: others can get at .+master\.key\n {2}→ chmod 600 /)
  t.match(sick.out, /✗ key ring: none of the master keys opens this store/)
  t.match(sick.out, /✗ port: something at .+\n {2}→ stop what listens there/)
  t.notMatch(sick.out, other)

  const faulty = await ask(['doctor', '--json'], { env: { COUNTERSIGN_PORT: 'x', COUNTERSIGN_PROT: '1' } })
  t.equal(faulty.code, 1)
  t.equal(JSON.parse(faulty.out).checks.filter((check: { ok: boolean }) => !check.ok).length, 2, 'all faults')
})

t.test('doctor, with Redis', async t => {
  const redis = await startRedis(['--save', '', '--appendonly', 'yes'])
  t.teardown(() => redis.stop())
  const settings = {
    COUNTERSIGN_STORE: redis.url,
    COUNTERSIGN_MASTER_KEY: Buffer.alloc(32, 1).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: 'x'.repeat(40),
    COUNTERSIGN_DATA_DIR: tempDir(t),
    COUNTERSIGN_PORT: '0'
  }
  const well = await good(t, ['doctor'], { env: settings })
  t.match(well, /✓ store: (Redis|Valkey) \d[\s\S]+✓ store: appendonly is on[\s\S]+✓ clock: Redis' clock is \d+ ms/)
  const skewed = await ask(['doctor'], { env: settings, now: () => Date.now() + 5000 })
  t.equal(skewed.code, 1)
  t.match(skewed.out, /✗ clock: Redis' clock is \d+ ms behind/)
  await redis.stop()
  const gone = await ask(['doctor'], { env: settings })
  t.equal(gone.code, 1)
  t.match(gone.out, /✗ store: Redis does not answer: .*ECONNREFUSED/)
})

t.test('colors only on a terminal, and never with NO_COLOR', async t => {
  t.match(await good(t, ['audit', 'verify'], { isTty: true }), '\u001b[32m✓')
  t.notMatch(await good(t, ['audit', 'verify'], { isTty: true, env: { NO_COLOR: '1' } }), '\u001b')
  t.notMatch(await good(t, ['audit', 'verify']), '\u001b')
})

t.test('as a program it ends by itself, and a reader that has enough is no fault', async t => {
  const program = run(t, ['clients', 'list', '--json'], env)
  t.match(await program.ended, { code: 0 })
  t.match(JSON.parse(program.stdout()), { items: [] })
  const piped = run(t, ['completion', 'bash'])
  piped.child.stdout?.destroy()
  t.match(await piped.ended, { code: 0 })
  t.equal(piped.stderr(), '')
})
