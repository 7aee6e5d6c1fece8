import { join } from 'node:path'
import type { Test } from 'tap'
import { adminOf, type Environment, type RunningGateway, runGateway, tempDir } from '../../helper/process.js'
import { startRedis } from '../../helper/redis-server.js'
import { until } from '../../helper/until.js'

/** Gateways with several workers, each on a Redis of its own. */

export const adminToken = 'an-admin-token-of-forty-characters-0123'

export async function workerSettings(t: Test): Promise<Record<string, string>> {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  return {
    COUNTERSIGN_STORE: redis.url,
    COUNTERSIGN_MASTER_KEY: Buffer.alloc(32, 5).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: adminToken
  }
}

export interface Workers {
  readonly gateway: RunningGateway
  readonly wsUrl: string
  readonly admin: ReturnType<typeof adminOf>
  /** Log lines with this message. */
  lines(message: string): Record<string, unknown>[]
  /** The newest process of each worker, by its number. */
  pids(): Map<number, number>
  /** Kills a worker, and waits until another one serves in its place. */
  replace(number: number): Promise<void>
}

/** @param cwd  its working folder. Default: a new one */
export async function startWorkers(
  t: Test,
  count: number,
  settings: Environment = {},
  cwd = tempDir(t)
): Promise<Workers> {
  const env = { ...(await workerSettings(t)), COUNTERSIGN_WORKERS: `${count}`, ...settings }
  const gateway = await runGateway(t, join(cwd, 'data'), env, [], cwd)

  function lines(message: string): Record<string, unknown>[] {
    const whole = gateway.stdout().split('\n').slice(0, -1)
    return whole.map(line => JSON.parse(line)).filter(({ msg }) => msg === message)
  }

  function pids(): Map<number, number> {
    return new Map(lines('a worker serves').map(({ worker, workerPid }) => [Number(worker), Number(workerPid)]))
  }

  // Lines of the log may come after the start has been reported.
  await until('every worker has its line', () => pids().size === count)
  return {
    gateway,
    wsUrl: `${gateway.url.replace('http', 'ws')}/v1/ws`,
    admin: adminOf(gateway, adminToken),
    lines,
    pids,
    async replace(number) {
      const killed = pids().get(number) ?? 0
      process.kill(killed, 'SIGKILL')
      await until('another one serves', () => pids().get(number) !== killed)
    }
  }
}

export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
