// Builds dist/: JavaScript, Redis scripts, web pages and the browser bundle, in a second or two. --types adds the type
// declarations, which the npm package needs and a start does not. Builds in a temporary folder and renames it, so an
// interrupted build leaves the previous dist/ intact.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { bundleForBrowsers } from './client-bundle.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const startedAt = new Date()
const out = mkdtempSync(`${root}dist-`)

/** Compiles each source file to one JavaScript file. Does not check types: `npm run typecheck` does. */
async function transpile() {
  const sources = readdirSync(`${root}src`, { recursive: true }).filter(name => /(?<!\.d)\.ts$/.test(name))
  await build({
    entryPoints: sources.map(name => `${root}src/${name}`),
    outdir: out,
    outbase: `${root}src`,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    logLevel: 'warning'
  })
}

async function bundleClient() {
  await bundleForBrowsers(`${out}/web/countersign-client.js`)
}

function emitTypes() {
  const tsc = `${root}node_modules/typescript/bin/tsc`
  const options = ['-p', `${root}tsconfig.build.json`, '--outDir', out, '--emitDeclarationOnly']
  if (spawnSync(process.execPath, [tsc, ...options], { stdio: 'inherit' }).status !== 0) throw new Error('tsc failed')
}

/** Replaces dist/ by the new folder. */
function place() {
  const old = `${out}-old`
  if (existsSync(`${root}dist`)) renameSync(`${root}dist`, old)
  // mkdtemp closes its folder to others, but another user may run the program: an image is built as root.
  chmodSync(out, 0o755)
  renameSync(out, `${root}dist`)
  rmSync(old, { recursive: true, force: true })
}

try {
  await transpile()
  cpSync(`${root}src/store/redis/scripts`, `${out}/store/redis/scripts`, { recursive: true })
  cpSync(`${root}web`, `${out}/web`, { recursive: true })
  await bundleClient()
  if (process.argv.includes('--types')) emitTypes()
  // Dated at the start of the build, so that a source file changed during the build is newer.
  writeFileSync(`${out}/.built`, '')
  utimesSync(`${out}/.built`, startedAt, startedAt)
  place()
} catch (error) {
  process.stderr.write(`the build failed: ${error.message}\n`)
  process.exitCode = 1
} finally {
  rmSync(out, { recursive: true, force: true })
}
