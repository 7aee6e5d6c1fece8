import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import t, { type Test } from 'tap'
import { startGateway } from '../helper/gateway.js'
import { tempDir } from '../helper/process.js'

/** The package `@countersign/client`, as `npm run pack:client` writes it. */

const root = fileURLToPath(new URL('../../', import.meta.url))
const maxBrowserBytes = 16 * 1024

const consumer = `
import { CallError, createClient, RequestError, type Publication } from '@countersign/client'
import { CountersignProvider, useConnectionState, useLatest, useSubscription } from '@countersign/client/react'
const client = createClient({ url: 'ws://127.0.0.1:1', credential: { clientId: 'c', secret: 's' } })
client.on('trouble', ({ reason, tries }) => [reason.length, tries.toFixed()])
client.once('error', ({ error, source }) => [error, source.length])
const subscription = client.subscribe<{ n: number }>('c', ({ data, publisher }: Publication<{ n: number }>) => [data.n, publisher])
export const position: number | undefined = subscription.position?.offset
export const joined: Promise<{ recovered: boolean }> = subscription.ready
export const closed: Promise<void> = client.close()
export const codeOf = (error: unknown) => (error instanceof RequestError ? [error.code, error.path, error.outcome] : undefined)
export const listed = client.sessions('game', { limit: 1 }).then(({ sessions, next }) => [sessions[0]?.attributes['players'], next])
export const read = client.history<{ n: number }>('c', { before: { offset: 1, epoch: 'e' } }).then(({ publications }) => publications[0]?.data.n)
export const set: Promise<void> = client.setAttributes({ n: '1' })
client.subscribe('c', () => {}, { last: 1, onPresence: ({ count, joined }) => [count, joined[0]?.clientId] })
export const called: Promise<number> = client.call<{ n: number }>({ clientId: 'game' }, 'state', { a: 1 }).then(({ n }) => n)
export const failed = (error: unknown) => (error instanceof CallError ? [error.code, error.error?.message] : undefined)
export const off: () => void = client.handle('double', async ({ n }: { n: number }, { from, callId, expiresAt }) => [2 * n, from, callId, expiresAt])
export const present = client.presence('c', { limit: 1 }).then(({ count, sessions }) => [count, sessions[0]?.attributes])
export const saved = client.subscribe('c', () => {}, { recover: client.subscribe('c', () => {}).position })
export const bare = client.validate({ serviceId: 's', hwid: undefined, key: 'k' })
// @ts-expect-error: one of both
export const both = client.call({ sessionId: 's', clientId: 'c' }, 'state')
export const hooks = [CountersignProvider, useConnectionState, useLatest, useSubscription]
`

function pack(t: Test): string {
  const folder = tempDir(t)
  execFileSync('npm', ['run', '-s', 'pack:client'], { cwd: root, stdio: 'ignore' })
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const target = join(folder, 'node_modules/@countersign/client')
  mkdirSync(target, { recursive: true })
  const archive = join(root, `dist/packages/countersign-client-${version}.tgz`)
  execFileSync('tar', ['xzf', archive, '-C', target, '--strip-components=1'])
  return folder
}

t.test('the members that are renamed in the bundle are internal', async t => {
  const bundle = await import(new URL('../../scripts/client-bundle.mjs', import.meta.url).href)
  const names: readonly string[] = bundle.internalMembers
  const files = [
    ...['protocol/upstream-schemas', 'protocol/downstream-schemas', 'protocol/schema-parts', 'protocol/limits'],
    ...['client/answers', 'client/credential', 'client/errors', 'client/verbs']
  ]
  const text = files.map(file => readFileSync(join(root, `src/${file}.ts`), 'utf8')).join('')
  const options = readFileSync(join(root, 'src/client/options.ts'), 'utf8').replace(
    /export interface Platform[\s\S]*/,
    ''
  )
  const inUse = new Set(`${text}${options}`.match(/(?<=^ +(?:readonly )?)\w+(?=\??:)/gm))
  t.ok(names.length > 50)
  t.same(
    names.filter(name => inUse.has(name)),
    [],
    'neither messages nor options, events and answers have them'
  )
})

t.test('the package has no dependencies, and works for every consumer', { timeout: 300_000 }, async t => {
  const folder = pack(t)
  const inside = (name: string) => readFileSync(join(folder, 'node_modules/@countersign/client', name), 'utf8')
  const manifest = JSON.parse(inside('package.json'))
  t.equal(manifest.dependencies, undefined)
  t.notMatch(inside('README.md'), /\]\((?!https?:)/, 'bug: its README had links to files that it lacks')
  t.match(manifest, { name: '@countersign/client', peerDependenciesMeta: { react: { optional: true } } })

  await t.test('the browser bundle is small, and uses nothing newer than Safari 15.0', async t => {
    for (const format of ['esm', 'cjs']) {
      const bundle = inside(`${format}/browser.js`)
      const { length } = gzipSync(bundle)
      t.ok(length <= maxBrowserBytes, `${length} bytes`)
      const newer =
        /Object\.hasOwn\b|canParse|\.at\(|findLast|structuredClone|toSorted|withResolvers|isWellFormed|\(\?<[=!]|\bstatic\s*\{/
      t.notMatch(bundle, newer)
      t.notMatch(bundle, /\bprocess\.\w|\bBuffer\b|require\("/)
    }
  })

  await t.test('types compile without @types/node, with every resolution', async t => {
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const types = join(root, 'node_modules/@types/react')
    mkdirSync(join(folder, 'node_modules/@types'), { recursive: true })
    for (const name of ['react', 'csstype']) {
      const source = name === 'react' ? types : join(root, 'node_modules/csstype')
      const target = name === 'react' ? 'node_modules/@types/react' : 'node_modules/csstype'
      execFileSync('cp', ['-r', source, join(folder, target)])
    }
    writeFileSync(join(folder, 'package.json'), '{}')
    for (const [module, moduleResolution, file] of [
      ['commonjs', 'node10', 'a.ts'],
      ['node16', 'node16', 'a.mts'],
      ['node16', 'node16', 'a.cts'],
      ['esnext', 'bundler', 'a.ts']
    ]) {
      writeFileSync(join(folder, String(file)), consumer)
      const compilerOptions = {
        ...{ module, moduleResolution, strict: true, skipLibCheck: false, noEmit: true, types: [] },
        ...{ target: 'es2022', lib: ['es2022', 'dom'], exactOptionalPropertyTypes: true },
        ...(moduleResolution === 'node10' ? { ignoreDeprecations: '6.0' } : {})
      }
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }))
      try {
        execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
        t.pass(`${moduleResolution} ${file}`)
      } catch (error) {
        t.fail(`${moduleResolution} ${file}: ${(error as { stdout?: string }).stdout}`)
      }
    }
  })

  await t.test('the browser bundle calls, answers, and reads a channel', async t => {
    const gateway = await startGateway(t, { config: { presence: ['c'] } })
    const permissions = { clientId: 'page', publish: ['c'], subscribe: ['c'], presence: ['c'], call: ['*'] }
    const credential = await gateway.createClient(permissions)
    // The bundle has renamed members, so the tests of the source do not cover it.
    const script = `
globalThis.WebSocket = (await import(${JSON.stringify(pathToFileURL(join(root, 'node_modules/ws/wrapper.mjs')).href)})).default
globalThis.addEventListener = globalThis.removeEventListener = () => {}
const { createClient, CallError } = await import('./node_modules/@countersign/client/esm/browser.js')
const client = createClient({ url: ${JSON.stringify(gateway.wsUrl)}, credential: ${JSON.stringify(credential)} }).connect()
const report = []
client.handle('add', ([a, b], { from }) => (b === undefined ? Promise.reject(new Error('no b')) : [a + b, from]))
client.on('error', ({ source }) => report.push(source))
await client.publish('c', 'x')
await client.setAttributes({ n: '1' })
report.push(await client.call({ clientId: 'page' }, 'add', [1, 2]))
const failure = await client.call({ sessionId: client.session.sessionId }, 'add', [1]).catch(error => error)
report.push(failure instanceof CallError, failure.error)
await new Promise(resolve => client.subscribe('c', ({ data }) => resolve(report.push(data)), { last: 1, onPresence: () => {} }).ready)
report.push((await client.history('c')).publications.length, (await client.presence('c')).channel)
report.push((await client.sessions('page')).sessions[0].attributes.n)
await client.close()
console.log(JSON.stringify(report))`
    writeFileSync(join(folder, 'page.mjs'), script)
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'page.mjs')], { timeout: 30_000 })
    const error = { code: 'HANDLER_FAILED', message: 'no b' }
    t.same(JSON.parse(stdout), [[3, 'page'], 'handle:add', true, error, 'x', 1, 'c', '1'])
  })

  await t.test('bug: Jest and other resolvers without `exports` did not find the package', async t => {
    const { main, module, browser, types } = manifest
    for (const file of [main, module, types, browser[main], browser[module]]) t.ok(inside(file).length > 0, file)
    const react = JSON.parse(inside('react/package.json'))
    for (const file of [react.main, react.module, react.types]) t.ok(inside(`react/${file}`).length > 0, file)
    const require = createRequire(join(folder, 'x.js'))
    for (const file of [main, browser[main]]) {
      t.type(require(join(folder, 'node_modules/@countersign/client', file)).createClient, 'function', file)
    }
  })

  await t.test('bug: Jest with jsdom could not import the package', async t => {
    // Its `exports` are read with the condition `browser`, and its globals lack these two.
    const check = `
for (const name of ['TextEncoder', 'TextDecoder']) delete globalThis[name]
const credential = { clientId: 'c', secret: 's' }
const use = ({ createClient, RequestError }) => {
  const client = createClient({ url: 'ws://127.0.0.1:1', credential })
  client.subscribe('c', () => {})
  client.on('trouble', ({ reason }) => {
    console.log(reason)
    client.close()
  })
  return client.publish('c', 1).catch(error => console.log(error instanceof RequestError, error.code)).then(() => client.connect())
}
globalThis.WebSocket = class {}
globalThis.addEventListener = () => {}`
    writeFileSync(join(folder, 'jest.cjs'), `${check}\nuse(require('@countersign/client'))`)
    writeFileSync(join(folder, 'jest.mjs'), `import * as sdk from '@countersign/client'\n${check}\nuse(sdk)`)
    for (const file of ['jest.cjs', 'jest.mjs']) {
      const args = ['--conditions=browser', join(folder, file)]
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 30_000 })
      t.equal(stdout.trim(), 'true CLOSED\ncould not connect: TextEncoder is not defined', file)
    }
  })

  await t.test('a bundler takes the browser entry for pages, and the Node entry for servers', async t => {
    const stdin = {
      contents: `import { createClient } from '@countersign/client'\nglobalThis.create = createClient`,
      resolveDir: folder
    }
    for (const [platform, expected] of [
      ['browser', 'esm/browser.js'],
      ['node', 'esm/node.js']
    ] as const) {
      const options = { bundle: true, format: 'esm', write: false, metafile: true, logLevel: 'silent' } as const
      const { metafile, warnings } = await build({ ...options, stdin, platform })
      const inputs = Object.keys(metafile.inputs).filter(name => name.includes('@countersign/client'))
      t.match(inputs, [new RegExp(`${expected}$`)], platform)
      t.same(warnings, [], platform)
    }
  })

  await t.test('bug: a bot that webpack had bundled did not find the modules of Node', async t => {
    // webpack puts a `require` of its own in the place of one from `createRequire`.
    t.notMatch(inside('esm/node.js'), /createRequire|\brequire\(/)
    t.match(inside('esm/node.js'), /from "node:events"/)
  })

  await t.test('connects from an ES module and from CommonJS', async t => {
    const gateway = await startGateway(t)
    const credential = await gateway.createClient({ publish: ['c'] })
    const run = `
const client = createClient({ url: ${JSON.stringify(gateway.wsUrl)}, credential: ${JSON.stringify(credential)} })
client.connect().publish('c', 1).then(async ({ offset }) => { await client.close(); console.log('offset', offset) })`
    writeFileSync(join(folder, 'run.mjs'), `import { createClient } from '@countersign/client'\n${run}`)
    writeFileSync(join(folder, 'run.cjs'), `const { createClient } = require('@countersign/client')\n${run}`)
    for (const [file, offset] of [
      ['run.mjs', 1],
      ['run.cjs', 2]
    ] as const) {
      const { stdout } = await promisify(execFile)(process.execPath, [join(folder, file)], { timeout: 30_000 })
      t.equal(stdout.trim(), `offset ${offset}`, file)
    }
  })
})
