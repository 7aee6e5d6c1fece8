import { readFileSync, rmSync } from 'node:fs'
import { removeFolder } from './remove-folder.mjs'
import { runStateFile } from './run-state.js'

/** Runs after all test files, failed ones too. */
const state: { pid?: number; dir?: string } = JSON.parse(readFileSync(runStateFile, 'utf8'))
if (state.pid !== undefined) process.kill(state.pid, 'SIGKILL')
if (state.dir !== undefined) removeFolder(state.dir)
rmSync(runStateFile)
