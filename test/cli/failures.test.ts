import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { tempDir } from '../helper/process.js'
import { freePort } from '../helper/redis-server.js'
import { serveHttp, startCommands } from './helper.js'
import { cli } from './io.js'

const { gateway, env, ask, good, bad } = await startCommands(t)

t.test('a failed request suggests what to do', async t => {
  const url = `http://127.0.0.1:${await freePort()}`
  t.match(
    await bad(t, 1, ['clients', 'list', '--url', url]),
    new RegExp(`^countersign: nothing answers at ${url} \\(ECONNREFUSED\\): is the gateway running.+\\n$`)
  )
  const flag = await ask(['clients', 'list', '--token', 'wrong-token-0123456789-0123456789'])
  t.equal(flag.code, 1)
  t.match(flag.err, /warning: --token can be read by others/)
  t.match(flag.err, /does not accept the token from --token/)
  t.notMatch(flag.err, 'wrong-token')
  t.match(await bad(t, 1, ['clients', 'list', '--data-dir', tempDir(t)]), /no token: .+admin\.token does not exist/)
  t.match(await bad(t, 1, ['clients', 'list'], { env: { COUNTERSIGN_ADMIN_TOKEN: 'töken' } }), /unprintable/)
  t.match(await bad(t, 1, ['clients', 'list', '--url', 'gateway']), /--url must be like https/)
  const page = await serveHttp(t, (_request, response) => response.writeHead(502).end('<html>'))
  t.match(await bad(t, 1, ['clients', 'list', '--url', page]), /is not a countersign gateway \(status 502\)/)
  const moved = await serveHttp(t, (_request, response) => response.writeHead(301, { location: 'https://x/' }).end())
  t.match(await bad(t, 1, ['clients', 'list', '--url', moved]), 'redirects to https://x/')
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

t.test('wrong usage is exit code 2 and names the help', async t => {
  const lines: [string[], RegExp][] = [
    [['dance'], /unknown command 'dance'\. Try: countersign help/],
    [['clients', 'dance'], /unknown command 'dance'\. Try: countersign clients --help/],
    [['clients'], /^Usage: countersign clients <verb>/],
    [['clients', 'show'], /missing required argument 'clientId': the client\. Try: countersign clients show --help/],
    [['clients', 'show', 'a', 'b'], /too many arguments/],
    [['clients', 'show', ''], /argument 'clientId' is empty/],
    [['clinets'], /unknown command 'clinets' \(Did you mean clients\?\)\. Try/],
    [['keys', 'rotate', 'a'], /unknown command 'rotate' \(Did you mean create\?\)\. Try: countersign keys --help/],
    [['licenses', 'susp'], /unknown command 'susp' \(Did you mean suspend\?\)\. Try: countersign licenses --help/],
    [['licenses', 'create', 's', '--expires', '1'], /unknown option '--expires' \(Did you mean --expires-at\?\)/],
    [['clients', 'list', '--jsno'], /unknown option '--jsno' \(Did you mean --json\?\)/],
    [['clients', 'rm', 'a'], /unknown command 'rm' \(Did you mean delete\?\)/],
    [['lic'], /unknown command 'lic' \(Did you mean licenses\?\)/],
    [['licenses', 'create', 's', '--exp', '1'], /unknown option '--exp' \(Did you mean --expires-at\?\)/],
    [['clients', 'dance', '--help'], /unknown command 'dance'/],
    [['clients', 'list', '--dance'], /unknown option '--dance'\. Try/],
    [['clients', 'list', '--limit', '--json'], /option '--limit <count>' needs a value/],
    [['clients', 'list', '--limit'], /option '--limit <count>' needs a value/],
    [['clients', 'list', '--limit', 'x'], /--limit: must be from 1 to 1000, not "x"/],
    [['clients', 'list', '--limit=1', '--limit=2'], /given twice/],
    [['clients', 'list', '--json=1'], /option '--json' takes no value/],
    [['clients', 'create', '--attribute', 'x'], /--attribute: must be name=value/],
    [['licenses', 'create', 's', '--expires-at', '2030-02-31'], /--expires-at: must be a time like/],
    [['licenses', 'create', 's', '--expires-at', '2030-01-01T00:00:00'], /with its zone/],
    [['licenses', 'import', 'keys.txt'], /option '--format' is missing: csv, json, ndjson/],
    [['completion', 'tcsh'], /argument 'shell' must be one of bash, zsh, fish/]
  ]
  for (const [args, text] of lines) t.match(await bad(t, 2, args), text)
})

t.test('bug: an error ended with two full stops', async t => {
  for (const args of [
    ['keys', 'create', 'c'],
    ['keys', 'create', 'c', '--overlap', 'soon'],
    ['audit', 'x']
  ]) {
    const { err } = await ask(args)
    t.match(err, /[^.]\. Try: countersign /)
  }
})

t.test('bug: a noun in the singular was not understood', async t => {
  t.match(await good(t, ['client', 'list']), /^CLIENT/)
  const { err } = await ask(['licence', 'list'])
  t.match(err, /Did you mean licenses\?/)
})

t.test('an error never repeats the value of a misspelt option', async t => {
  for (const args of [
    ['clients', 'list', '--tokne=hunter2'],
    ['clients', 'list', '--tokne', 'hunter2'],
    ['clients', 'list', '--json=hunter2'],
    ['clients', '--token=hunter2', 'list'],
    ['clients', '--token', 'hunter2'],
    ['clients', '--token=its first line\nhunter2']
  ]) {
    t.notMatch(await bad(t, 2, args), 'hunter2')
  }
})

t.test('bug: a gateway that broke off a backup was reported as not answering', async t => {
  const folder = tempDir(t)
  const url = await serveHttp(t, (request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    response.write('{"countersignBackup":1,"storeId":"s","createdAt":"now"}\n', () => request.socket.destroy())
  })
  const file = join(folder, 'backup.ndjson')
  const { code, err } = await cli(['backup', file, '--url', url, '--token', 'x'.repeat(40)])
  t.equal(code, 1)
  t.match(err, new RegExp(`${url} broke off its answer.*: its log has the reason`))
  t.notOk(existsSync(file))
})

t.test('backup replaces no file, and restore reports a file that cannot be read', async t => {
  const file = join(tempDir(t), 'backup.ndjson')
  t.match(await bad(t, 1, ['restore', file]), /backup\.ndjson cannot be read\. Nothing was restored/)
  await good(t, ['backup', file])
  t.match(await bad(t, 1, ['backup', file]), /backup\.ndjson exists: name another file/)
  t.ok(existsSync(file), 'the first backup is kept')
})
