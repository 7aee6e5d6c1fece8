import t from 'tap'
import { ConfigError, loadConfig } from '../../src/config/load.js'
import { lookUp, mergeSources, readSources } from '../../src/config/sources.js'

const key = Buffer.alloc(32, 1).toString('base64')
const token = 'x'.repeat(32)

function problemsOf(source: Record<string, string | undefined>): readonly string[] {
  try {
    loadConfig(source)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

t.test('every setting has a default', async t => {
  const { config, warnings } = loadConfig({ PATH: '/bin' })
  t.match(config, {
    ...{ host: '127.0.0.1', port: 8080, store: { kind: 'embedded' }, dataDir: './data', logLevel: 'info' },
    ...{ rateLimit: true, trustProxy: [], allowedOrigins: { kind: 'own' }, allowInsecureHttp: false, drainMs: 10_000 },
    ...{ heartbeatIntervalSeconds: 15, heartbeatTimeoutSeconds: 45, frameBytes: 65_536 },
    ...{ failedHandshakesPerMinute: 20, handshakesPerMinute: 1200, maxSessions: 100_000, maxSessionsPerClient: 10_000 }
  })
  t.same(warnings, [])
  t.ok(Object.isFrozen(config))
})

t.test('reports every fault at once and repeats no secret', async t => {
  const problems = problemsOf({
    COUNTERSIGN_PORT: '80x',
    COUNTERSIGN_STORE: 'mysql://x',
    COUNTERSIGN_MASTER_KEY: 'c2hvcnQ=',
    COUNTERSIGN_ADMIN_TOKEN: 'tooshort',
    COUNTERSIGN_LOG_LEVEL: 'loud',
    COUNTERSIGN_TRUST_PROXY: '10.0.0.0/8,proxy.example',
    COUNTERSIGN_ALLOWED_ORIGINS: 'https://a.example/,https://b.example',
    COUNTERSIGN_TLS_CERT: 'cert.pem',
    COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS: '60',
    COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS: '60',
    COUNTERSIGN_PROT: '80'
  })
  const about = (name: string) => problems.some(problem => problem.includes(name))
  for (const name of ['PROT:', 'PORT:', 'STORE:', 'MASTER_KEY:', 'ADMIN_TOKEN:', 'LOG_LEVEL:', 'TRUST_PROXY:']) {
    t.ok(about(`COUNTERSIGN_${name}`), name)
  }
  t.ok(about('"https://a.example/"') && !about('b.example'), 'only the wrong one')
  t.ok(about('TLS_KEY') && about('HEARTBEAT_TIMEOUT_SECONDS'))
  t.notMatch(problems.join(), /c2hvcnQ|tooshort/)
  t.match(problemsOf({ COUNTERSIGN_RATE_LIMIT: 'no' }), [/`on`, or `off`.+It is "no"/], 'it tells the valid values')
})

t.test('refuses a heartbeat timeout that leaves a pinged client no time to answer', async t => {
  const settings = (timeout: number) => ({
    COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS: '15',
    COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS: String(timeout)
  })
  t.match(problemsOf(settings(25)), [/HEARTBEAT_TIMEOUT_SECONDS: must be longer than .+ \+ 10/])
  t.equal(loadConfig(settings(26)).config.heartbeatTimeoutSeconds, 26)
})

t.test('reports a wrong store without its password', async t => {
  const [problem] = problemsOf({ COUNTERSIGN_STORE: 'redis+x://user:hunter2@host' })
  t.match(problem, /COUNTERSIGN_STORE: .+\(hidden: not a valid URL\)/)
  t.notMatch(problem, /hunter2/)
  t.notMatch(problemsOf({ COUNTERSIGN_STORE: 'redis+x://user:hun@ter2@host' })[0], /ter2/, 'a password with an @')
  t.equal(
    problemsOf({
      COUNTERSIGN_STORE: 'redis+sentinel://a:1',
      COUNTERSIGN_MASTER_KEY: key,
      COUNTERSIGN_ADMIN_TOKEN: token
    }).length,
    1
  )
  t.equal(
    problemsOf({ COUNTERSIGN_STORE: 'redis+cluster:///x', COUNTERSIGN_MASTER_KEY: key, COUNTERSIGN_ADMIN_TOKEN: token })
      .length,
    1
  )
})

t.test('accepts one or several master keys of exactly 32 bytes', async t => {
  const load = (text: string) => problemsOf({ COUNTERSIGN_MASTER_KEY: text }).length
  t.equal(load(key), 0)
  t.equal(load(`${key}, ${key}`), 0)
  for (const wrong of [`${key},`, key.slice(0, -1), `${key.slice(0, -4)}====`, 'x'.repeat(44), `${key},short`]) {
    t.equal(load(wrong), wrong === `${key},` ? 0 : 1, wrong)
  }
  t.equal(load(Array(9).fill(key).join()), 1, 'at most eight')
  t.equal(load(Buffer.alloc(31).toString('base64')), 1)
  t.equal(load(Buffer.alloc(33).toString('base64')), 1)
})

t.test('bug: an admin token could have neither spaces nor more than 256 characters', async t => {
  const load = (text: string) => problemsOf({ COUNTERSIGN_ADMIN_TOKEN: text }).length
  for (const good of ['x'.repeat(32), 'x'.repeat(4096), 'correct horse battery staple: a b']) t.equal(load(good), 0)
  const wrong = ['x'.repeat(31), 'x'.repeat(4097), ` ${'x'.repeat(32)}`, `${'x'.repeat(32)} `, `${'x'.repeat(32)}\n`]
  for (const each of [...wrong, 'ä'.repeat(32)]) t.equal(load(each), 1, each.slice(0, 40))
})

t.test('requires a master key and an admin token with Redis', async t => {
  const redis = { COUNTERSIGN_STORE: 'redis://127.0.0.1' }
  t.equal(problemsOf(redis).length, 2)
  t.equal(problemsOf({ ...redis, COUNTERSIGN_MASTER_KEY: key, COUNTERSIGN_ADMIN_TOKEN: token }).length, 0)
  for (const url of [
    'rediss://a:1',
    'redis+sentinel://a:1,b:2/name',
    'redis+cluster://u:p@a:1,b:2',
    'redis://[::1]:6379'
  ]) {
    const { config } = loadConfig({
      COUNTERSIGN_STORE: url,
      COUNTERSIGN_MASTER_KEY: key,
      COUNTERSIGN_ADMIN_TOKEN: token
    })
    t.same(config.store, { kind: 'redis', url })
  }
})

t.test('records presence for no channel, or for those that match a pattern', async t => {
  const load = (text: string) => problemsOf({ COUNTERSIGN_PRESENCE: text })
  t.same(loadConfig({}).config.presence, [])
  t.same(loadConfig({ COUNTERSIGN_PRESENCE: 'none' }).config.presence, [])
  t.same(loadConfig({ COUNTERSIGN_PRESENCE: 'match:*, news' }).config.presence, ['match:*', 'news'])
  t.same(loadConfig({ COUNTERSIGN_PRESENCE: '*' }).config.presence, ['*'])
  for (const wrong of ['a b', 'a*b', '**', 'x'.repeat(129)]) t.match(load(wrong), [/not a pattern/], wrong)
  t.match(load('none,a'), [/must stand alone/])
  t.same(load(Array(64).fill('a').join()), [])
  t.match(load(Array(65).fill('a').join()), [/at most 64/])
})

t.test('flags win over the environment', async t => {
  const sources = readSources(
    { COUNTERSIGN_PORT: '1', COUNTERSIGN_DATA_DIR: '/x' },
    { COUNTERSIGN_PORT: '2', COUNTERSIGN_LOG_LEVEL: 'warn' }
  )
  const merged = { COUNTERSIGN_PORT: '1', COUNTERSIGN_DATA_DIR: '/x', COUNTERSIGN_LOG_LEVEL: 'warn' }
  t.match(mergeSources(sources), merged)
  t.match(lookUp(sources, 'COUNTERSIGN_PORT'), { value: '1', from: 'flag' })
  t.match(lookUp(sources, 'COUNTERSIGN_LOG_LEVEL'), { value: 'warn', from: 'environment' })
  t.equal(lookUp(sources, 'COUNTERSIGN_HOST'), undefined)
})

t.test('more than one worker needs Redis', async t => {
  const redis = { COUNTERSIGN_STORE: 'redis://h', COUNTERSIGN_MASTER_KEY: key, COUNTERSIGN_ADMIN_TOKEN: token }
  for (const [text, workers] of [
    ['1', 1],
    ['64', 64],
    ['auto', 'auto']
  ] as const) {
    t.equal(loadConfig({ ...redis, COUNTERSIGN_WORKERS: text }).config.workers, workers)
  }
  for (const wrong of ['0', '65', 'all', '1.5', '-1']) {
    t.match(problemsOf({ ...redis, COUNTERSIGN_WORKERS: wrong }), [/COUNTERSIGN_WORKERS: 1 to 64, or `auto`/], wrong)
  }
  t.match(problemsOf({ COUNTERSIGN_WORKERS: '2' }), [/COUNTERSIGN_WORKERS: 2 workers need Redis, since/])
  t.same(problemsOf({ COUNTERSIGN_WORKERS: 'auto' }), [])
})
