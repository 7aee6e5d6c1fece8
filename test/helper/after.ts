import { readFileSync, rmSync } from 'node:fs'

/** After all test files, also those that failed. */
const state: { pid?: number; dir?: string } = JSON.parse(readFileSync('.tap/redis.json', 'utf8'))
if (state.pid !== undefined) process.kill(state.pid, 'SIGKILL')
if (state.dir !== undefined) rmSync(state.dir, { recursive: true, force: true })
rmSync('.tap/redis.json')
