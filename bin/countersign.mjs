#!/usr/bin/env node
// The command `countersign`. In a clone it first rebuilds dist when a source is newer; a published package
// has no sources and starts at once.
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const sources = ['src', 'web', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/build.mjs']

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`countersign needs Node 20.19 or newer; this is ${process.version}\n`)
  process.exit(1)
}

/** Node opens so many files at once to load the program. Below, what it reports names any of them. */
const leastOpenFiles = 224
const limits = existsSync('/proc/self/limits') ? readFileSync('/proc/self/limits', 'utf8') : ''
const openFiles = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? leastOpenFiles)
if (openFiles < leastOpenFiles) {
  process.stderr.write(
    `countersign needs a limit of at least ${leastOpenFiles} open files; this is ${openFiles}: raise it, e.g. ulimit -n 4096\n`
  )
  process.exit(1)
}

function newest(path) {
  const { mtimeMs } = statSync(path)
  if (!statSync(path).isDirectory()) return mtimeMs
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), mtimeMs)
}

function builtAt() {
  const marker = join(root, 'dist/.built')
  return existsSync(marker) ? statSync(marker).mtimeMs : 0
}

function isStale() {
  const changedAt = Math.max(...sources.map(name => (existsSync(join(root, name)) ? newest(join(root, name)) : 0)))
  return builtAt() < changedAt
}

if (existsSync(join(root, 'src')) && isStale()) {
  if (!existsSync(join(root, 'node_modules'))) {
    process.stderr.write('countersign: the packages are not installed. Run `npm ci` first.\n')
    process.exit(1)
  }
  // When several processes start from one clone, the first builds and the others wait for it.
  const { waitForLockSync } = createRequire(import.meta.url)('fs-native-extensions')
  const lock = openSync(join(root, 'node_modules/.countersign-build.lock'), 'a+')
  waitForLockSync(lock)
  if (isStale()) {
    process.stderr.write('countersign: building, a few seconds …\n')
    const build = spawnSync(process.execPath, [join(root, 'scripts/build.mjs')], { stdio: ['ignore', 2, 2] })
    if (build.status !== 0) {
      process.stderr.write('countersign: the build failed, see above. Run `npm ci` and try again.\n')
      process.exit(1)
    }
  }
  closeSync(lock)
}

const { main } = await import('../dist/cli/main.js')
process.exitCode = await main(process.argv.slice(2))
