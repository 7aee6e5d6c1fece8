import t from 'tap'
import { importsOf, moduleOf, read, sources } from './files.js'

/** The direction of imports. */

/**
 * The imports of each module besides itself, lower layers last (docs and CONTRIBUTING.md describe the layers). `store`
 * means its interfaces; only store/open.ts imports the two stores.
 */
const mayImport: Record<string, readonly string[]> = {
  server: ['cli'],
  index: ['app', 'config', 'store'],
  cli: ['app', 'routes', 'metrics', 'steady-clock', 'config', 'log', 'store', 'registry', 'client', 'protocol'],
  // biome-ignore format: one line is one layer
  app: [
    'session-layer', 'routes', 'ws', 'bridge',
    'http', 'config', 'errors', 'log',
    'store'
  ],
  // biome-ignore format: one line is one layer
  'session-layer': [
    'bridge', 'metrics', 'http', 'log', 'steady-clock',
    'session', 'cluster', 'calls',
    'auth', 'channels', 'registry', 'config',
    'store', 'protocol'
  ],
  routes: ['session', 'calls', 'http', 'auth', 'channels', 'registry', 'errors', 'log', 'store', 'protocol'],
  ws: ['session', 'http', 'auth', 'errors', 'protocol'],
  // biome-ignore format: one line is one layer
  bridge: [
    'session', 'cluster', 'calls', 'http',
    'auth', 'channels', 'registry', 'errors', 'log',
    'store', 'protocol'
  ],
  metrics: ['session', 'http', 'channels', 'store'],
  http: ['auth', 'config', 'errors', 'log', 'protocol'],
  cluster: ['session', 'auth', 'channels', 'registry', 'steady-clock', 'store'],
  session: ['calls', 'auth', 'channels', 'registry', 'log', 'store', 'protocol'],
  calls: ['auth', 'store', 'protocol'],
  registry: ['auth', 'store', 'protocol'],
  auth: ['store', 'protocol'],
  channels: ['store', 'protocol'],
  client: ['protocol'],
  config: [],
  errors: [],
  log: [],
  'steady-clock': [],
  store: [],
  protocol: []
}

t.test('imports go one way', async t => {
  t.same([...new Set(sources.map(moduleOf))].sort(), Object.keys(mayImport).sort(), 'every module has its rule')
  const used = new Set<string>()
  for (const file of sources) {
    for (const { target } of importsOf(file)) {
      t.ok(sources.includes(target), `${file} imports ${target}, which exists`)
      const [from, to] = [moduleOf(file), moduleOf(target)]
      used.add(`${from} ${to}`)
      if (from !== to && !mayImport[from]?.includes(to)) t.fail(`${file} may not import ${target}`)
      const inStore = /^src\/store\/(embedded|redis)\//
      if (inStore.test(target) && !inStore.test(file)) t.equal(file, 'src/store/open.ts', `${file} imports ${target}`)
    }
  }
  for (const [from, targets] of Object.entries(mayImport)) {
    for (const to of targets) t.ok(used.has(`${from} ${to}`), `${from} needs no permission to import ${to}`)
  }
  // In the command line only serve, doctor, config and init-store know the gateway's internals, and only these are clients.
  const gateway = ['app', 'store', 'registry']
  const serve = ['gateway-process', 'heap-warning', 'start-failure', 'store-events']
  const inner = [...serve, 'doctor', 'doctor-redis', 'config', 'init-store', 'first-start'].map(
    name => `src/cli/${name}.ts`
  )
  for (const file of sources.filter(each => moduleOf(each) === 'cli' && !inner.includes(each))) {
    for (const { target } of importsOf(file)) {
      // The form of a secret is no internal: it finds typing errors before anything is sent.
      if (target === 'src/registry/secrets.ts') continue
      t.notOk(gateway.includes(moduleOf(target)), `${file} imports ${target}`)
    }
  }
  // `licenses import` applies the rules of the HTTP API before it sends anything; they come with the schemas.
  for (const file of sources.filter(each => moduleOf(each) === 'cli')) {
    for (const { target } of importsOf(file)) {
      if (moduleOf(target) !== 'routes') continue
      t.match(`${file} ${target}`, /^src\/cli\/import\/check.ts src\/routes\/admin\/licenses\/(rules|schema).ts$/)
    }
  }
  const clients = ['client-session', 'connect', 'subscribe'].map(name => `src/cli/${name}.ts`)
  for (const file of sources.filter(each => moduleOf(each) === 'cli' && !clients.includes(each))) {
    for (const { target } of importsOf(file)) t.not(moduleOf(target), 'client', `${file} imports ${target}`)
  }
})

t.test('imports form no cycle', async t => {
  const edges = new Map(
    sources.map(file => [file, importsOf(file).flatMap(({ target, typeOnly }) => (typeOnly ? [] : [target]))])
  )
  const done = new Set<string>()
  function walk(file: string, path: readonly string[]): void {
    if (path.includes(file)) {
      t.fail(`a cycle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`)
      return
    }
    if (done.has(file)) return
    for (const target of edges.get(file) ?? []) walk(target, [...path, file])
    done.add(file)
  }
  for (const file of sources) walk(file, [])
  t.equal(done.size, sources.length)
})

t.test('the protocol and the client use only browser features', async t => {
  const nodeOnly = [
    'mac-node.ts',
    'utf8-node.ts',
    'socket-node.ts',
    'node.ts',
    'schemas.ts',
    'schema-parts.ts',
    'upstream-schemas.ts',
    'downstream-schemas.ts'
  ]
  for (const file of sources.filter(each => ['protocol', 'client'].includes(moduleOf(each)))) {
    if (nodeOnly.some(name => file.endsWith(`/${name}`))) continue
    t.notMatch(read(file), /from '(node:|ws'|typebox|pino|fastify)|\bBuffer\b|\bprocess\b/, file)
  }
})
