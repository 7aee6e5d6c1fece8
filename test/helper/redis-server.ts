import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { removeFolder } from './remove-folder.mjs'

/** Real Redis servers for tests, each on a free port of 127.0.0.1 with its own folder. */

export const howToInstall =
  'npm test needs Redis: install it (apt-get install redis-server, brew install redis) or set REDIS_URL'

export function findRedisBinary(): string | undefined {
  return ['redis-server', 'valkey-server'].find(name => spawnSync(name, ['--version']).status === 0)
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** How a test reaches a server. */
export interface RedisAccess {
  readonly password?: string
  readonly tls?: { readonly ca: string }
}

export interface RedisServer {
  readonly url: string
  readonly pid: number
  readonly dir: string
  /** Kills it with SIGKILL, as a crash does. */
  kill(): Promise<void>
  /** Starts again on the same port and folder. */
  start(): Promise<void>
  stop(): Promise<void>
}

/**
 * @param args     options besides port and folder, e.g. `--appendonly yes`
 * @param prepare  writes a configuration file into the server's folder and returns its path
 * @param access   how to see that it has started, e.g. its password. A server with `tls` listens for TLS only
 */
export async function startRedis(
  args: readonly string[] = ['--save', '', '--appendonly', 'no'],
  prepare?: (dir: string) => string,
  access: RedisAccess = {}
): Promise<RedisServer> {
  const binary = findRedisBinary()
  if (binary === undefined) throw new Error(howToInstall)
  const dir = mkdtempSync(join(tmpdir(), 'countersign-redis-'))
  const port = await freePort()
  const file = prepare === undefined ? [] : [prepare(dir)]
  let child: ChildProcess | undefined

  async function start(): Promise<void> {
    const listen = access.tls === undefined ? ['--port', String(port)] : ['--port', '0', '--tls-port', String(port)]
    child = spawn(binary ?? '', [...file, ...listen, '--bind', '127.0.0.1', '--dir', dir, ...args], {
      stdio: 'ignore'
    })
    const probe = new Redis({ ...access, port, host: '127.0.0.1', maxRetriesPerRequest: null, retryStrategy: () => 20 })
    probe.on('error', () => {})
    await probe.ping()
    probe.disconnect()
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return child?.pid ?? 0
    },
    dir,
    start,
    kill: () => end('SIGKILL'),
    async stop() {
      await end('SIGKILL')
      removeFolder(dir)
    }
  }
}
