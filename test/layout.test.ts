import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import t from 'tap'
import { environmentSchema } from '../src/config/load.js'
import { apiErrors } from '../src/errors.js'
import { codes, validationCodes } from '../src/protocol/codes.js'

/** Layout rules: the direction of imports, file sizes, and documents that must match the code. */

function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith(ending))
    .map(name => join(folder, name))
}

function read(path: string): string {
  return readFileSync(path, 'utf8')
}

/** Files of ours that a file imports, for types or for good. */
function importsOf(file: string): { target: string; typeOnly: boolean }[] {
  const pattern = /^(?:import|export)\s+(type\s)?[^;'"]*?from '(\.[^']+)'|import\('(\.[^']+)'\)/gm
  return [...read(file).matchAll(pattern)].map(match => ({
    target: normalize(join(dirname(file), (match[2] ?? match[3] ?? '').replace(/\.js$/, '.ts'))),
    typeOnly: match[1] !== undefined
  }))
}

const sources = filesUnder('src', '.ts').filter(file => !file.endsWith('.d.ts'))

/** The module of a file: its folder under src, or its own name. */
function moduleOf(file: string): string {
  const [module = ''] = relative('src', file).split('/')
  return module.replace(/\.ts$/, '')
}

/** What each module may import besides itself. `store` is its interfaces: the two stores are reached through store/open only. */
const mayImport: Record<string, readonly string[]> = {
  protocol: [],
  store: [],
  auth: ['session', 'registry', 'store', 'protocol'],
  channels: ['store', 'protocol'],
  registry: ['auth', 'store', 'protocol', 'errors'],
  session: ['cluster', 'auth', 'channels', 'registry', 'store', 'protocol'],
  cluster: ['session', 'auth', 'channels', 'registry', 'store', 'protocol'],
  ws: ['session', 'cluster', 'auth', 'store', 'protocol', 'config', 'errors'],
  bridge: ['session', 'cluster', 'auth', 'channels', 'registry', 'store', 'protocol'],
  routes: ['session', 'cluster', 'auth', 'channels', 'registry', 'store', 'protocol', 'errors'],
  client: ['protocol'],
  config: ['protocol'],
  errors: [],
  metrics: ['session', 'channels', 'protocol'],
  app: [
    'routes',
    'ws',
    'bridge',
    'session',
    'cluster',
    'auth',
    'channels',
    'registry',
    'store',
    'protocol',
    'config',
    'errors',
    'metrics'
  ],
  cli: ['app', 'config', 'store', 'registry', 'client', 'protocol'],
  server: ['cli'],
  index: ['app', 'config', 'store']
}

t.test('imports go one way', async t => {
  t.same([...new Set(sources.map(moduleOf))].sort(), Object.keys(mayImport).sort(), 'every module has its rule')
  for (const file of sources) {
    for (const { target } of importsOf(file)) {
      t.ok(sources.includes(target), `${file} imports ${target}, which exists`)
      const [from, to] = [moduleOf(file), moduleOf(target)]
      if (from !== to && !mayImport[from]?.includes(to)) t.fail(`${file} may not import ${target}`)
      const inStore = /^src\/store\/(embedded|redis)\//
      if (inStore.test(target) && !inStore.test(file)) t.equal(file, 'src/store/open.ts', `${file} imports ${target}`)
    }
  }
  // Of the command line only serve, doctor and config may know the gateway's insides, and only connect is a client.
  const gateway = ['app', 'store', 'registry']
  const inner = ['serve', 'doctor', 'config', 'first-start'].map(name => `src/cli/${name}.ts`)
  for (const file of sources.filter(each => moduleOf(each) === 'cli' && !inner.includes(each))) {
    for (const { target } of importsOf(file)) t.notOk(gateway.includes(moduleOf(target)), `${file} imports ${target}`)
  }
  for (const file of sources.filter(each => moduleOf(each) === 'cli' && each !== 'src/cli/connect.ts')) {
    for (const { target } of importsOf(file)) t.not(moduleOf(target), 'client', `${file} imports ${target}`)
  }
})

t.test('imports make no circle', async t => {
  const edges = new Map(
    sources.map(file => [file, importsOf(file).flatMap(({ target, typeOnly }) => (typeOnly ? [] : [target]))])
  )
  const done = new Set<string>()
  function walk(file: string, path: readonly string[]): void {
    if (path.includes(file)) {
      t.fail(`a circle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`)
      return
    }
    if (done.has(file)) return
    for (const target of edges.get(file) ?? []) walk(target, [...path, file])
    done.add(file)
  }
  for (const file of sources) walk(file, [])
  t.equal(done.size, sources.length)
})

t.test('the protocol and the client use nothing that a browser lacks', async t => {
  const nodeOnly = ['mac-node.ts', 'socket-node.ts', 'node.ts', 'schemas.ts']
  for (const file of sources.filter(each => ['protocol', 'client'].includes(moduleOf(each)))) {
    if (nodeOnly.some(name => file.endsWith(`/${name}`))) continue
    t.notMatch(read(file), /from '(node:|ws'|typebox|pino|fastify)|\bBuffer\b|\bprocess\b/, file)
  }
})

t.test('PROTOCOL.md has exactly our codes', async t => {
  const rows = [...read('PROTOCOL.md').matchAll(/^\| `([A-Z_]+)` \| (–|\d{4}) \| (\d{3}) \|/gm)]
  const written = Object.fromEntries(rows.map(([, code, close, status]) => [code, { close, status }]))
  const ours = Object.fromEntries(
    Object.entries(codes).map(([code, { status, ...rest }]) => [
      code,
      { close: 'close' in rest ? String(rest.close) : '–', status: String(status) }
    ])
  )
  t.same(written, ours)
  const validations = [...read('PROTOCOL.md').matchAll(/^\| `([A-Z_]+)` \| [^|\d–][^|]*\|$/gm)].map(([, code]) => code)
  t.same(validations.sort(), [...validationCodes].sort())
  for (const [code, { status }] of Object.entries(apiErrors)) {
    const wire = Object.hasOwn(codes, code) ? codes[code as keyof typeof codes] : undefined
    if (wire !== undefined) t.equal(status, wire.status, `${code} has one status`)
  }
})

t.test('close codes: 44xx your side, 45xx ours or passing; each once', async t => {
  const closes = Object.values(codes).flatMap(code => ('close' in code ? [code.close] : []))
  t.equal(new Set(closes).size, closes.length)
  for (const close of closes) t.ok(close >= 4400 && close < 4600)
})

t.test('.env.example and docs/settings.md are what the schema says; no page names another setting', async t => {
  const fresh = execFileSync(process.execPath, ['scripts/generate-settings.mjs', '--print'], { encoding: 'utf8' })
  t.equal(read('.env.example') + read('docs/settings.md'), fresh, 'run: npm run generate')
  for (const page of [
    'README.md',
    'SECURITY.md',
    'CONTRIBUTING.md',
    'deploy/README.md',
    ...filesUnder('docs', '.md')
  ]) {
    for (const [name] of read(page).matchAll(/\bCOUNTERSIGN_[A-Z_]*[A-Z]\b/g)) {
      t.ok(name in environmentSchema.properties, `${page}: ${name}`)
    }
  }
})

t.test('literal close codes and Redis keys stand in their files only', async t => {
  for (const file of sources) {
    const text = read(file).replace(/^\s*(\/\/|\*|\/\*\*).*$/gm, '')
    if (!/protocol\/codes\.ts$/.test(file)) t.notMatch(text, /\b4[45]\d\d\b(?!_)/, `${file} names a close code`)
    if (!/redis\/keys\.ts$/.test(file)) t.notMatch(text, /['"`]cs:/, `${file} names a Redis key`)
    t.notMatch(text, /\bconsole\./, `${file} logs past the log`)
  }
})

t.test('files say one thing', async t => {
  for (const file of sources.filter(each => !each.endsWith('.generated.ts'))) {
    t.ok(read(file).split('\n').length <= 301, `${file} has more than 300 lines`)
  }
})

t.test('every Redis script is loaded, and says what goes in and out', async t => {
  const loader = read('src/store/redis/client.ts')
  for (const file of filesUnder('src/store/redis/scripts', '.lua')) {
    const name = relative('src/store/redis/scripts', file).replace('.lua', '')
    if (name.startsWith('include/')) continue
    t.match(loader, new RegExp(`'${name}'`), name)
    t.match(read(file), /^(?:-- include [a-z-]+\n)*--\[\[\n[\s\S]*\nInput\n[\s\S]*\nOutput\n[\s\S]*\]\]/, name)
  }
})

t.test('docker-compose.yml and the Dockerfile fit the program (parsed; nothing is run here)', async t => {
  const compose = read('docker-compose.yml')
  const settings = [...compose.matchAll(/^\s+(COUNTERSIGN_[A-Z_]+):/gm)].map(([, name]) => String(name))
  t.ok(settings.length > 0)
  for (const name of settings) t.ok(name in environmentSchema.properties, name)
  for (const wanted of [/^ {2}redis:/m, /^ {2}gateway-1:/m, /^ {2}gateway-2:/m, /^ {2}caddy:/m])
    t.match(compose, wanted)
  t.match(compose, /"--appendonly", "yes"/)
  t.match(compose, /"--maxmemory-policy", "noeviction"/)
  const grace = Number(/stop_grace_period: (\d+)s/.exec(compose)?.[1])
  const drain = Number(/COUNTERSIGN_DRAIN_SECONDS: "(\d+)"/.exec(compose)?.[1])
  t.ok(grace > drain, 'a gateway may drain before it is killed')
  const caddy = read('deploy/Caddyfile')
  t.match(caddy, /gateway-1:8080[\s\S]*gateway-2:8080/)
  t.match(caddy, /health_uri \/readyz/)
  const dockerfile = read('Dockerfile')
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) =>
    String(names).split(' ')
  )
  for (const name of copied) t.doesNotThrow(() => readdirSync('.').includes(name.split('/')[0] ?? ''), name)
  t.match(dockerfile, /bin\/countersign\.mjs/)
})
