import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { tempDir } from '../helper/process.js'
import { cli, type Run } from './io.js'

const token = 'an-admin-token-of-forty-characters-0123'
const fileToken = 'a-token-in-a-file-of-forty-characters-01'
const foreignHost = '203.0.113.7'

interface Attempt extends Run {
  /** Every request, as `url token`. */
  readonly sent: readonly string[]
}

interface Folder {
  readonly path: string
  /** Runs a command in the folder; nothing leaves this process. */
  ask(args: readonly string[], env?: Record<string, string>): Promise<Attempt>
}

/** A working folder with this `.env`. */
function folderWith(t: Test, envFile: Record<string, string>): Folder {
  const path = tempDir(t)
  const lines = Object.entries(envFile).map(([name, value]) => `COUNTERSIGN_${name}=${value}\n`)
  writeFileSync(join(path, '.env'), lines.join(''))
  return {
    path,
    async ask(args, env = {}) {
      const sent: string[] = []
      const fake: typeof fetch = async (input, init) => {
        sent.push(`${new URL(String(input)).origin} ${new Headers(init?.headers).get('authorization')?.slice(7)}`)
        return new Response('{"items":[{"clientId":"a"}]}', { status: 200 })
      }
      const back = process.cwd()
      process.chdir(path)
      try {
        return { ...(await cli(args, { env, fetch: fake })), sent }
      } finally {
        process.chdir(back)
      }
    }
  }
}

function addToken(folder: string): string {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'admin.token'), `${fileToken}\n`)
  return folder
}

const list = ['clients', 'list']

t.test("a .env never sends the environment's admin token to the host that it names", async t => {
  for (const envFile of [{ HOST: foreignHost }, { PORT: '9999' }, { HOST: foreignHost, ADMIN_TOKEN: 'x'.repeat(32) }]) {
    const { ask } = folderWith(t, envFile)
    for (const [args, env] of [
      [list, { COUNTERSIGN_ADMIN_TOKEN: token }],
      [[...list, '--token', token], {}],
      [['publish', 'news', '1'], { COUNTERSIGN_ADMIN_TOKEN: token }],
      [[...list, '--data-dir', addToken(join(tempDir(t), 'mine'))], {}],
      [list, { COUNTERSIGN_DATA_DIR: addToken(join(tempDir(t), 'mine')) }]
    ] as const) {
      if ('ADMIN_TOKEN' in envFile && 'COUNTERSIGN_DATA_DIR' in env) continue // .env's own token is used
      const { code, err, sent } = await ask(args, env)
      t.same(sent, [], `${args.join(' ')} with ${JSON.stringify(envFile)}`)
      t.equal(code, 1)
      t.match(
        err,
        /^countersign: the token from .+ is not sent to http:.+ COUNTERSIGN_(HOST|PORT) in \.env: pass --url\n$/
      )
      t.notMatch(err, token)
    }
  }
})

t.test('a token goes to a URL from a source at least as trusted, and the command reports both', async t => {
  const own = folderWith(t, { PORT: '9000', ADMIN_TOKEN: token })
  const fromFile = await own.ask(list)
  t.same(fromFile.sent, [`http://127.0.0.1:9000 ${token}`])
  t.equal(
    fromFile.err,
    'gateway: http://127.0.0.1:9000 (COUNTERSIGN_PORT in .env), with the token from COUNTERSIGN_ADMIN_TOKEN in .env\n'
  )

  const mixed = await own.ask(list, { COUNTERSIGN_PORT: '9001' })
  t.same(mixed.sent, [`http://127.0.0.1:9001 ${token}`])
  t.match(
    mixed.err,
    /^gateway: http:\/\/127\.0\.0\.1:9001 \(COUNTERSIGN_PORT in the environment\), with the token from/
  )

  const typed = await folderWith(t, { HOST: foreignHost }).ask([...list, '--url', 'http://127.0.0.1:9002'], {
    COUNTERSIGN_ADMIN_TOKEN: token
  })
  t.same(typed.sent, [`http://127.0.0.1:9002 ${token}`])
  t.equal(typed.err, '', 'a typed URL needs no line')

  const set = await folderWith(t, {}).ask(list, { COUNTERSIGN_ADMIN_TOKEN: token, COUNTERSIGN_PORT: '9003' })
  t.same(set.sent, [`http://127.0.0.1:9003 ${token}`])
  t.equal(set.err, '', 'nor does what the environment sets')

  const usual = await folderWith(t, {}).ask(list, { COUNTERSIGN_ADMIN_TOKEN: token })
  t.same(usual.sent, [`http://127.0.0.1:8080 ${token}`])
  t.equal(usual.err, '', 'neither does the default')
})

t.test('the token of the default data folder goes where the .env beside it leads', async t => {
  const { path, ask } = folderWith(t, { HOST: foreignHost })
  addToken(join(path, 'data'))
  t.same((await ask(list)).sent, [`http://${foreignHost}:8080 ${fileToken}`])
})

t.test('a .env never sends the token of a data folder elsewhere to another machine', async t => {
  const elsewhere = addToken(join(tempDir(t), 'data'))
  const named = folderWith(t, { HOST: foreignHost, DATA_DIR: elsewhere })
  const linked = folderWith(t, { HOST: foreignHost })
  symlinkSync(elsewhere, join(linked.path, 'data'))
  for (const { ask } of [named, linked]) {
    const { sent, err } = await ask(list)
    t.same(sent, [])
    t.match(err, /the token from .+admin\.token is not sent to http:\/\/203/)
  }
  const here = await folderWith(t, { PORT: '9000', DATA_DIR: elsewhere }).ask(list)
  t.same(here.sent, [`http://127.0.0.1:9000 ${fileToken}`], 'on this machine it may')
})

t.test('a .env never sends a credential to the host that it names', async t => {
  const { path, ask } = folderWith(t, { HOST: foreignHost })
  const file = join(path, 'game.json')
  writeFileSync(file, '{"clientId":"game","secret":"hunter2"}', { mode: 0o600 })
  for (const [args, env] of [
    [['connect', '--credential', file], {}],
    [['connect'], { CLIENT_ID: 'game', CLIENT_SECRET: 'hunter2' }]
  ] as const) {
    const { code, err } = await ask(args, env)
    t.equal(code, 1)
    t.match(err, /^countersign: the credential from .+ is not sent to http.+ COUNTERSIGN_HOST in \.env: pass --url\n$/)
    t.notMatch(err, 'hunter2')
  }
})

t.test('the advice of a refusal is true: --url helps whatever the token came from', async t => {
  const { ask } = folderWith(t, { PORT: '9999' })
  for (const [args, env] of [
    [list, { COUNTERSIGN_ADMIN_TOKEN: token }],
    [[...list, '--token', token], {}],
    [[...list, '--data-dir', addToken(join(tempDir(t), 'mine'))], {}]
  ] as const) {
    t.match((await ask(args, env)).err, /: pass --url\n$/)
    const { code, sent } = await ask([...args, '--url', 'http://127.0.0.1:9999'], env)
    t.equal(code, 0)
    t.equal(sent.length, 1)
  }
})
