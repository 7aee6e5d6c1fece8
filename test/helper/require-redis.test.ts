import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'

/** `npm test` on a machine without Redis: PATH holds nothing but stubs that record their calls. */

type Stubs = Readonly<Record<string, string>>

const root = 'echo 0'
const user = 'echo 1000'
const version = 'exit 0'
/** Answers `--version`, and installs a stub of redis-server. */
const apt = `case "$1" in install) echo '#!/bin/sh' > "$STUBS/redis-server"; /bin/chmod +x "$STUBS/redis-server";; esac`
/** Knows the package only after an update. */
const aptWithoutLists = `case "$1" in
  update) : > "$STUBS/lists";;
  install) [ -e "$STUBS/lists" ] || exit 100; ${apt};;
esac`
const brokenApt = '[ "$1" = --version ] || exit 100'

function runHelper(t: Test, stubs: Stubs, env: Record<string, string> = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-stubs-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  for (const [name, body] of Object.entries(stubs)) {
    const record = `[ "$1" = --version ] || echo "${name} $*" >> "$STUBS/calls"`
    writeFileSync(join(dir, name), `#!/bin/sh\n${record}\n${body}\n`, { mode: 0o755 })
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, ['test/helper/require-redis.mjs'], {
    env: { PATH: dir, STUBS: dir, ...env },
    encoding: 'utf8'
  })
  const calls = join(dir, 'calls')
  return { status, stdout, stderr, calls: existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : [] }
}

const installCall = 'apt-get install -y -qq --no-install-recommends redis-server'
const advice = /^npm test needs Redis.*: install it \(apt-get install redis-server.*\) or set REDIS_URL\n$/

t.test('needs nothing where Redis or Valkey is on PATH, or REDIS_URL is set', async t => {
  for (const stubs of [{ 'redis-server': version }, { 'valkey-server': version }]) {
    t.same(runHelper(t, { ...stubs, 'apt-get': apt, id: root }), { status: 0, stdout: '', stderr: '', calls: [] })
  }
  t.match(runHelper(t, {}, { REDIS_URL: 'redis://127.0.0.1:1' }), { status: 0, stderr: '' })
})

t.test('installs redis-server as root where apt-get is, in one line, and leaves no service running', async t => {
  const result = runHelper(t, { 'apt-get': apt, id: root, systemctl: version })
  t.equal(result.status, 0)
  t.equal(result.stderr, 'npm test needs Redis: installing redis-server with apt-get\n')
  t.equal(result.stdout, '')
  t.same(result.calls, ['id -u', installCall, 'systemctl disable --now redis-server'])
  const withoutSystemd = runHelper(t, { 'apt-get': apt, id: root, service: version })
  t.same(withoutSystemd.calls, ['id -u', installCall, 'service redis-server stop'])
})

t.test('updates the package lists if the package is unknown', async t => {
  const result = runHelper(t, { 'apt-get': aptWithoutLists, id: root })
  t.equal(result.status, 0)
  t.same(result.calls, ['id -u', installCall, 'apt-get update -qq', installCall])
})

t.test('states how to install Redis where it may not install it, and exits with 1', async t => {
  for (const [name, stubs] of Object.entries({
    'not root': { 'apt-get': apt, id: user },
    'not Debian': { id: root }
  })) {
    const { status, stderr, calls } = runHelper(t, stubs)
    t.equal(status, 1, name)
    t.match(stderr, advice, name)
    t.notOk(calls.includes(installCall), name)
  }
})

t.test('exits with 1 if apt-get fails', async t => {
  const { status, stderr } = runHelper(t, { 'apt-get': brokenApt, id: root })
  t.equal(status, 1)
  t.match(stderr.split('\n')[1], /apt-get could not install it/)
})
