// Builds dist/: TypeScript, Redis scripts, browser bundle and pages. It works in a folder of its own and renames it
// into place, so that a build that is cut short leaves no half dist behind.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const startedAt = new Date()
const out = mkdtempSync(`${root}dist-`)

try {
  const tsc = spawnSync(
    process.execPath,
    [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}tsconfig.build.json`, '--outDir', out],
    { stdio: 'inherit' }
  )
  if (tsc.status !== 0) process.exitCode = tsc.status ?? 1
  else {
    cpSync(`${root}src/store/redis/scripts`, `${out}/store/redis/scripts`, { recursive: true })
    cpSync(`${root}web`, `${out}/web`, { recursive: true })
    await build({
      entryPoints: [`${root}src/client/browser.ts`],
      outfile: `${out}/web/countersign-client.js`,
      bundle: true,
      minify: true,
      format: 'esm',
      target: 'es2022',
      legalComments: 'none'
    })
    // As old as the start of the build: a source that changed meanwhile is newer.
    writeFileSync(`${out}/.built`, '')
    utimesSync(`${out}/.built`, startedAt, startedAt)
    place()
  }
} finally {
  rmSync(out, { recursive: true, force: true })
}

/** Puts the new folder in the place of dist. */
function place() {
  const old = `${out}-old`
  if (existsSync(`${root}dist`)) renameSync(`${root}dist`, old)
  renameSync(out, `${root}dist`)
  rmSync(old, { recursive: true, force: true })
}
