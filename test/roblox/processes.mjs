import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A gateway and Luau programs as processes of their own, for what is measured or stormed. */

const root = fileURLToPath(new URL('../..', import.meta.url))
const outside = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('COUNTERSIGN_')))

/** Built from what is there, with a store of its own; it ends with `stop`. */
export async function startGateway(environment = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-roblox-'))
  const child = spawn(process.execPath, [join(root, 'bin/countersign.mjs'), 'serve'], {
    env: {
      ...outside,
      COUNTERSIGN_PORT: '0',
      COUNTERSIGN_DATA_DIR: dataDir,
      COUNTERSIGN_RATE_LIMIT: 'off',
      COUNTERSIGN_LOG_LEVEL: 'silent',
      ...environment
    },
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said += text
  })
  while (!/listening on (\S+)/.test(said)) {
    if (child.exitCode !== null) throw new Error(`the gateway ended: ${said}`)
    await Promise.race([once(child.stderr, 'data'), once(child, 'exit')])
  }
  const url = /listening on (\S+)/.exec(said)[1]
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
      rmSync(dataDir, { recursive: true, force: true })
    }
  }
}

/**
 * Runs a Luau program. @param onLine gets each line that it prints
 * @returns its exit code, with what it said on stderr (cut: luau-web prints its own source where it aborts)
 */
export async function runLuau(file, environment, onLine) {
  const lune = process.env.LUNE
  const [command, args] = lune
    ? [lune, ['run', file]]
    : [process.execPath, ['--stack-size=4000', join(root, 'test/roblox/runtime/run.mjs'), file]]
  const child = spawn(command, args, {
    cwd: root,
    env: { ...outside, ...environment },
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
