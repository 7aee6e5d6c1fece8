import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Test } from 'tap'
import { removeFolder } from './remove-folder.mjs'

/** The program as a child process. */

const program = resolve('bin/countersign.mjs')

export function tempDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
  t.teardown(() => removeFolder(dir))
  return dir
}

/** Undefined unsets a default. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface Program {
  readonly child: ChildProcess
  stdout(): string
  stderr(): string
  /** The exit code and signal, when it has ended. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/** Starts `countersign` with the given environment, PATH and HOME only. */
export function run(t: Test, args: readonly string[], env: Environment = {}, cwd = tempDir(t)): Program {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, [program, ...args], { cwd, env: { PATH, HOME, ...env } })
  const text = { stdout: '', stderr: '' }
  child.stdout.on('data', chunk => {
    text.stdout += chunk
  })
  child.stderr.on('data', chunk => {
    text.stderr += chunk
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { child, stdout: () => text.stdout, stderr: () => text.stderr, ended }
}

export interface RunningGateway extends Program {
  readonly url: string
  readonly dataDir: string
}

/** Starts a gateway on a free port. @throws with its output if it does not start */
export async function runGateway(
  t: Test,
  dataDir: string,
  env: Environment = {},
  args: readonly string[] = [],
  cwd?: string
): Promise<RunningGateway> {
  const settings = {
    COUNTERSIGN_PORT: '0',
    COUNTERSIGN_DATA_DIR: dataDir,
    COUNTERSIGN_RATE_LIMIT: 'off',
    COUNTERSIGN_LOG_LEVEL: 'info',
    ...env
  }
  const started = run(t, ['serve', ...args], settings, cwd)
  for (;;) {
    const url = /listening on (http\S+)/.exec(started.stderr())?.[1]
    if (url !== undefined) return { ...started, url, dataDir }
    const over = await Promise.race([started.ended, once(started.child.stderr ?? started.child, 'data')])
    if (!Array.isArray(over)) throw new Error(`the gateway did not start: ${started.stderr()}`)
  }
}

/** Calls a running gateway's admin API; its token is in the data folder unless given. */
export function adminOf({ url, dataDir }: RunningGateway, token?: string) {
  const bearer = token ?? readFileSync(join(dataDir, 'admin.token'), 'utf8').trim()
  return async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${url}/v1/admin${path}`, {
      method,
      headers: {
        authorization: `Bearer ${bearer}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' })
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
  }
}
