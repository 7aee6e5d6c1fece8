import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { removeFolder } from '../helper/remove-folder.mjs'

/** Starts a gateway and Luau programs as separate processes, for benchmarks and the storm test. */

const root = fileURLToPath(new URL('../..', import.meta.url))
const baseEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('COUNTERSIGN_'))
)

/** Starts a gateway from the sources, with a temporary store. `stop` ends it and deletes the store. */
export async function startGateway(environment = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-roblox-'))
  const child = spawn(process.execPath, [join(root, 'bin/countersign.mjs'), 'serve'], {
    env: {
      ...baseEnvironment,
      COUNTERSIGN_PORT: '0',
      COUNTERSIGN_DATA_DIR: dataDir,
      COUNTERSIGN_RATE_LIMIT: 'off',
      COUNTERSIGN_LOG_LEVEL: 'silent',
      ...environment
    },
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let output = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    output += text
  })
  while (!/listening on (\S+)/.test(output)) {
    if (child.exitCode !== null) throw new Error(`the gateway exited: ${output}`)
    await Promise.race([once(child.stderr, 'data'), once(child, 'exit')])
  }
  const url = /listening on (\S+)/.exec(output)[1]
  const token = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim()
  return {
    url,
    token,
    async api(method, path, body) {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const answer = await fetch(`${url}${path}`, { method, headers, body: body && JSON.stringify(body) })
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
      return answer.status === 204 ? undefined : answer.json()
    },
    async stop() {
      if (child.exitCode === null) {
        child.kill('SIGTERM')
        await once(child, 'exit')
      }
      removeFolder(dataDir)
    }
  }
}

/**
 * Runs a Luau program.
 * @param onLine  called with each line that it prints
 * @returns its exit code and the first 2000 characters of stderr (luau-web prints its own source when it aborts)
 */
export async function runLuau(file, environment, onLine) {
  const lune = process.env.LUNE
  const [command, args] = lune
    ? [lune, ['run', file]]
    : [process.execPath, ['--stack-size=4000', join(root, 'test/roblox/runtime/run.mjs'), file]]
  const child = spawn(command, args, {
    cwd: root,
    env: { ...baseEnvironment, ...environment },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    errors = (errors + text).slice(0, 2000)
  })
  createInterface({ input: child.stdout }).on('line', onLine)
  const [code] = await once(child, 'close')
  return { code, errors }
}
