import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ConfigError, loadConfig, loadSources } from '../../src/config/load.js'
import { maxSettingFileBytes, secretSettings } from '../../src/config/secret-files.js'
import { lookUp, readSources } from '../../src/config/sources.js'

const dir = mkdtempSync(join(tmpdir(), 'countersign-secrets-'))
t.teardown(() => rmSync(dir, { recursive: true }))
const key = Buffer.alloc(32, 9).toString('base64')
const token = 'x'.repeat(40)

function write(name: string, text: string | Buffer): string {
  const path = join(dir, name)
  writeFileSync(path, text)
  return path
}

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    loadSources(readSources({}, environment))
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems
  }
}

t.test('every secret, and the store, is read from a file', async t => {
  const environment = {
    COUNTERSIGN_STORE_FILE: write('store', 'redis+sentinel://:hunter2@a:1/main\n'),
    COUNTERSIGN_SENTINEL_PASSWORD_FILE: write('sentinel', ' of the sentinel \r\n'),
    COUNTERSIGN_MASTER_KEY_FILE: write('key', `\ufeff${key}\n`),
    COUNTERSIGN_ADMIN_TOKEN_FILE: write('token', token),
    COUNTERSIGN_METRICS_TOKEN_FILE: write('metrics-token', token)
  }
  t.same(
    Object.keys(environment),
    secretSettings.map(name => `${name}_FILE`),
    'all of them'
  )
  const sources = readSources({}, environment)
  const { config } = loadSources(sources)
  t.same(config.store, {
    ...{ kind: 'redis', url: 'redis+sentinel://:hunter2@a:1/main' },
    sentinelPassword: ' of the sentinel '
  })
  t.same(config.masterKeys, [Buffer.alloc(32, 9)])
  t.equal(config.adminToken, token)
  t.equal(config.metricsToken, token)
  const from = { from: 'environment', path: environment.COUNTERSIGN_ADMIN_TOKEN_FILE }
  t.match(lookUp(sources, 'COUNTERSIGN_ADMIN_TOKEN'), { value: token, ...from })
})

t.test('only one final newline is dropped', async t => {
  const path = write('newlines', `${token}\n\n`)
  t.match(problemsOf({ COUNTERSIGN_ADMIN_TOKEN_FILE: path }), [/^COUNTERSIGN_ADMIN_TOKEN: /])
})

t.test('a secret that is set both ways is a fault that names both, whichever sources set it', async t => {
  const path = write('both', token)
  const both = /^COUNTERSIGN_ADMIN_TOKEN and COUNTERSIGN_ADMIN_TOKEN_FILE are both set/
  t.match(problemsOf({ COUNTERSIGN_ADMIN_TOKEN: token, COUNTERSIGN_ADMIN_TOKEN_FILE: path }), [both])
  const sources = readSources({ COUNTERSIGN_ADMIN_TOKEN_FILE: path }, { COUNTERSIGN_ADMIN_TOKEN: token })
  t.throws(() => loadSources(sources), both.source.slice(1))
  t.same(problemsOf({ COUNTERSIGN_ADMIN_TOKEN: '', COUNTERSIGN_ADMIN_TOKEN_FILE: path }), [], 'an empty text is unset')
})

t.test('a file that cannot be used is one fault, without its content', async t => {
  mkdirSync(join(dir, 'folder'))
  const cases = [
    [join(dir, 'missing'), /cannot be read \(ENOENT\)/],
    [join(dir, 'folder'), /cannot be read \(is a folder\)/],
    [write('empty', '\n'), /is empty/],
    [write('large', 'hunter2'.repeat(maxSettingFileBytes)), /more than 65536 bytes/],
    [write('latin1', Buffer.from('hunter2\xff', 'latin1')), /not UTF-8/],
    [write('utf16', Buffer.from('hunter2', 'utf16le')), /NUL byte/]
  ] as const
  for (const [path, why] of cases) {
    const problems = problemsOf({ COUNTERSIGN_MASTER_KEY_FILE: path })
    t.match(problems, [why], path)
    t.equal(problems.length, 1)
    t.match(problems[0], /^COUNTERSIGN_MASTER_KEY_FILE: /)
    t.notMatch(problems.join(), /hunter2/)
  }
})

const secrets = { COUNTERSIGN_MASTER_KEY: key, COUNTERSIGN_ADMIN_TOKEN: token }

function storeProblems(url: string, more: Record<string, string> = {}): readonly string[] {
  return problemsOf({ ...secrets, COUNTERSIGN_STORE: url, ...more })
}

t.test('bug: a `%` in a password is one clear line', async t => {
  const schemes = ['redis', 'rediss', 'redis+cluster', 'rediss+cluster']
  const urls = [...schemes.map(scheme => `${scheme}://user:p%w@h:1`), 'rediss+sentinel://:p%w@h:1/main']
  for (const url of urls) {
    const problems = storeProblems(url)
    t.match(problems, [/^COUNTERSIGN_STORE: a `%` in the user or password must be .+ write %25/], url)
    t.equal(problems.length, 1)
    t.notMatch(problems[0], /p%w/)
  }
})

t.test('bug: an unencoded @ shows no part of the user info', async t => {
  for (const url of ['redis+sentinel://us:hun@ter2@h:1/main', 'rediss+cluster://us:hun@ter2@h:1,b']) {
    t.match(storeProblems(url), [/percent-encode/], url)
    t.notMatch(storeProblems(url).join(), /hun|ter2/)
  }
  t.same(storeProblems('redis://us:hun@ter2@h:1'), [], 'the last @ ends it')
  for (const url of ['redis://us:hun@ter2@h:1:2', 'redis://us:hun@ter2@'])
    t.notMatch(storeProblems(url).join(), /hun|ter2/)
})

t.test('each form of TLS is known, and settings that the form does not use are faults', async t => {
  t.same(storeProblems('rediss+sentinel://a:1,b/main', { COUNTERSIGN_REDIS_CA: 'ca.pem' }), [])
  t.same(storeProblems('rediss+cluster://a:1,b', { COUNTERSIGN_REDIS_CA: 'ca.pem' }), [])
  t.match(storeProblems('redis://a', { COUNTERSIGN_REDIS_CA: 'ca.pem' }), [/REDIS_CA: needs .+ TLS/])
  t.match(storeProblems('redis://a', { COUNTERSIGN_SENTINEL_PASSWORD: 'x' }), [/SENTINEL_PASSWORD: needs/])
  const { config } = loadConfig({ ...secrets, COUNTERSIGN_STORE: 'rediss://a', COUNTERSIGN_REDIS_CA: 'ca.pem' })
  t.same(config.store, { kind: 'redis', url: 'rediss://a', caFile: 'ca.pem' })
})
