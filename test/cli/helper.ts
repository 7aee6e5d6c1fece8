import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type RunningGateway, runGateway, tempDir } from '../helper/process.js'
import { cli, type Run, type RunOptions } from './io.js'

/** Runs commands against a gateway of their own. */

// biome-ignore lint/suspicious/noExplicitAny: tests look at the JSON member by member
type Json = any

export interface Commands {
  readonly gateway: RunningGateway
  /** Settings that locate the gateway: its port and its data folder. */
  readonly env: Record<string, string>
  /** Runs a command. */
  ask(args: readonly string[], options?: RunOptions): Promise<Run>
  /** Runs a command that must succeed. @returns its stdout */
  good(t: Test, args: readonly string[], options?: RunOptions): Promise<string>
  /** Runs a command that must succeed, with `--json`. */
  json(t: Test, args: readonly string[], options?: RunOptions): Promise<Json>
  /** Runs a command that must fail with this exit code. @returns its stderr */
  bad(t: Test, code: number, args: readonly string[], options?: RunOptions): Promise<string>
}

/** Starts a gateway in a process of its own. Every command is checked not to show its admin token. */
export async function startCommands(t: Test, settings: Record<string, string> = {}): Promise<Commands> {
  const gateway = await runGateway(t, join(tempDir(t), 'data'), settings)
  const adminToken = readFileSync(join(gateway.dataDir, 'admin.token'), 'utf8').trim()
  const env = { COUNTERSIGN_PORT: new URL(gateway.url).port, COUNTERSIGN_DATA_DIR: gateway.dataDir }

  const ask: Commands['ask'] = (args, options = {}) => cli(args, { ...options, env: { ...env, ...options.env } })

  const good: Commands['good'] = async (t, args, options) => {
    const { code, out, err } = await ask(args, options)
    t.equal(code, 0, `${args.join(' ')}: ${err}`)
    t.notOk(`${out}${err}`.includes(adminToken), 'the admin token is never shown')
    return out
  }
  return {
    gateway,
    env,
    ask,
    good,
    json: async (t, args, options) => JSON.parse(await good(t, [...args, '--json'], options)),
    async bad(t, code, args, options) {
      const result = await ask(args, options)
      t.equal(result.code, code, args.join(' '))
      t.equal(result.out, '', 'nothing on stdout')
      t.notOk(result.err.includes(adminToken), 'the admin token is never shown')
      return result.err
    }
  }
}

/** Serves a port with something that is not a gateway, or a faulty one. @returns its URL */
export async function serveHttp(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
