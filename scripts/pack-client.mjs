// Writes dist/packages/countersign-client-<version>.tgz: the package @countersign/client, without dependencies, as ESM and
// CommonJS, with types, for browsers and Node, and ./react. Usage: npm run pack:client
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { browserTarget, bundleForBrowsers } from './client-bundle.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const packages = `${root}dist/packages`
const { version, license } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
const formats = [
  { folder: 'esm', format: 'esm', type: 'module' },
  { folder: 'cjs', format: 'cjs', type: 'commonjs' }
]
const entries = ['browser', 'node', 'react']
/** Packages whose code is in the bundles. */
const bundled = ['ws']

function run(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw error ?? new Error(`${command} ${args.join(' ')} failed`)
}

/**
 * ws is CommonJS, and an ES module has no `require` for Node's own modules. They become imports, which any bundler of a
 * consumer understands; one that finds a `require` from `createRequire` may put another in its place.
 */
const importBuiltins = {
  name: 'import-builtins',
  setup(builder) {
    builder.onResolve({ filter: /^[a-z]+$/ }, ({ path, kind }) =>
      kind === 'require-call' && isBuiltin(path) ? { path, namespace: 'builtin' } : undefined
    )
    builder.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `import value from 'node:${path}'; module.exports = value`
    }))
  }
}

/** An ES module without imports as CommonJS. esbuild's own wrapper takes 190 bytes more, compressed. */
function toCommonJs(source) {
  const [statement, list] = /export\{([^}]*)\};?\s*$/.exec(source) ?? []
  if (statement === undefined) throw new Error('the bundle does not end with its exports')
  const assignments = list.split(',').map(item => {
    const [local, name = local] = item.split(' as ')
    return `exports.${name}=${local};`
  })
  return `"use strict";${source.slice(0, -statement.length)}${assignments.join('')}\n`
}

async function bundle(out, { folder, format }) {
  const forBrowsers = `${out}/${folder}/browser.js`
  await bundleForBrowsers(forBrowsers)
  if (format === 'cjs') writeFileSync(forBrowsers, toCommonJs(readFileSync(forBrowsers, 'utf8')))
  await build({
    entryPoints: [`${root}src/client/node.ts`],
    outfile: `${out}/${folder}/node.js`,
    format,
    bundle: true,
    platform: 'node',
    target: 'node20',
    // ws asks for two native packages that only make it faster.
    define: { 'process.env.WS_NO_BUFFER_UTIL': '"1"', 'process.env.WS_NO_UTF_8_VALIDATE': '"1"' },
    external: ['bufferutil', 'utf-8-validate'],
    plugins: format === 'esm' ? [importBuiltins] : [],
    legalComments: 'none',
    logLevel: 'warning',
    logOverride: { 'commonjs-variable-in-esm': 'silent' }
  })
  await build({
    entryPoints: [`${root}src/client/react.ts`],
    outfile: `${out}/${folder}/react.js`,
    format,
    bundle: true,
    external: ['react'],
    target: browserTarget,
    logLevel: 'warning'
  })
}

/** Only what the entries' types refer to. */
function emitTypes(out) {
  const config = `${out}/tsconfig.json`
  const options = { rootDir: `${root}src`, outDir: `${out}/types`, typeRoots: [`${root}node_modules/@types`] }
  const files = entries.map(name => `${root}src/client/${name}.ts`)
  writeFileSync(
    config,
    JSON.stringify({ extends: `${root}tsconfig.build.json`, compilerOptions: options, include: [], files })
  )
  run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', config, '--emitDeclarationOnly'], root)
  const done = new Set()
  const copy = file => {
    if (done.has(file)) return
    done.add(file)
    const text = readFileSync(`${out}/types/${file}`, 'utf8')
    for (const { folder } of formats) {
      mkdirSync(`${out}/package/${folder}/${file}`.replace(/\/[^/]*$/, ''), { recursive: true })
      cpSync(`${out}/types/${file}`, `${out}/package/${folder}/${file}`)
    }
    for (const [, target] of text.matchAll(/(?:from |import\()['"](\.[^'"]+)\.js['"]/g)) {
      copy(new URL(`${target}.d.ts`, `file:///${file}`).pathname.slice(1))
    }
  }
  for (const name of entries) copy(`client/${name}.d.ts`)
}

/** An entry of `exports`: types before code, for `import` and for `require`. */
const conditions = name => ({
  import: { types: `./esm/client/${name}.d.ts`, default: `./esm/${name}.js` },
  require: { types: `./cjs/client/${name}.d.ts`, default: `./cjs/${name}.js` }
})

const manifest = {
  name: '@countersign/client',
  version,
  description: 'Client of a Countersign gateway, for browsers, Node and React',
  license,
  engines: { node: '>=20' },
  sideEffects: false,
  main: './cjs/node.js',
  module: './esm/node.js',
  browser: { './cjs/node.js': './cjs/browser.js', './esm/node.js': './esm/browser.js' },
  types: './cjs/client/node.d.ts',
  exports: {
    '.': { browser: conditions('browser'), ...conditions('node') },
    './react': conditions('react'),
    './package.json': './package.json'
  },
  peerDependencies: { react: '>=18' },
  peerDependenciesMeta: { react: { optional: true } }
}

/** Links to other files of this repository lead nowhere in the package: only their text stays. */
function withoutRelativeLinks(text) {
  return text.replace(/\[([^\]]+)\]\((?!https?:)[^)]+\)/g, '$1')
}

async function pack(out) {
  const folder = `${out}/package`
  mkdirSync(`${folder}/react`, { recursive: true })
  for (const format of formats) {
    await bundle(folder, format)
    writeFileSync(
      `${folder}/${format.folder}/package.json`,
      `${JSON.stringify({ type: format.type, sideEffects: false })}\n`
    )
  }
  emitTypes(out)
  writeFileSync(`${folder}/package.json`, `${JSON.stringify(manifest, undefined, 2)}\n`)
  // For resolvers that do not read `exports`: TypeScript's node10, Jest before 28.
  const react = { main: '../cjs/react.js', module: '../esm/react.js', types: '../cjs/client/react.d.ts' }
  writeFileSync(`${folder}/react/package.json`, `${JSON.stringify(react)}\n`)
  cpSync(`${root}LICENSE`, `${folder}/LICENSE`)
  writeFileSync(`${folder}/README.md`, withoutRelativeLinks(readFileSync(`${root}docs/web.md`, 'utf8')))
  const licenses = bundled.map(name => `${name}\n\n${readFileSync(`${root}node_modules/${name}/LICENSE`, 'utf8')}`)
  writeFileSync(`${folder}/THIRD_PARTY_LICENSES`, licenses.join('\n\n'))
  mkdirSync(packages, { recursive: true })
  run('npm', ['pack', '--ignore-scripts', '--pack-destination', packages], folder)
}

const out = mkdtempSync(`${tmpdir()}/countersign-client-`)
try {
  await pack(out)
  process.stdout.write(`dist/packages/countersign-client-${version}.tgz\n`)
} catch (error) {
  process.stderr.write(`pack:client failed: ${error.message}\n`)
  process.exitCode = 1
} finally {
  rmSync(out, { recursive: true, force: true })
}
