import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findRedisBinary, freePort, howToInstall } from './redis-server.js'
import { runStateFile } from './run-state.js'

/** Runs before all test files: starts one Redis to share, and builds the program. */

const state: { url: string; pid?: number; dir?: string } = { url: process.env['REDIS_URL'] ?? '' }

if (state.url === '') {
  const binary = findRedisBinary()
  if (binary === undefined) {
    console.error(howToInstall)
    process.exit(1)
  }
  const dir = mkdtempSync(join(tmpdir(), 'countersign-test-'))
  const port = await freePort()
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no']
  const child = spawn(binary, options, { stdio: 'ignore', detached: true })
  child.unref()
  Object.assign(state, { url: `redis://127.0.0.1:${port}`, pid: child.pid, dir })
}
mkdirSync('.tap', { recursive: true })
writeFileSync(runStateFile, JSON.stringify(state))

const build = spawnSync(process.execPath, ['bin/countersign.mjs', 'version'], {
  stdio: ['ignore', 'ignore', 'inherit']
})
if (build.status !== 0) process.exit(1)
