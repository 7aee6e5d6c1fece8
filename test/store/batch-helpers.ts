import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { openRedisStore, type RedisStoreOptions } from '../../src/store/redis/index.js'
import { startRedis } from '../helper/redis-server.js'
import { redisUrl } from '../helper/stores.js'

/** Shared parts of the tests of scripts with several calls. */

/** A store under a prefix of its own, and a connection to its Redis. */
export async function openBatched(t: Test, url = redisUrl(), options: RedisStoreOptions = {}) {
  const prefix = `batched-${randomBytes(6).toString('hex')}`
  const root = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  root.on('error', () => {})
  const store = await openRedisStore(url, { prefix, ...options })
  t.teardown(async () => {
    root.disconnect()
    await store.close()
  })
  return { store, root, prefix }
}

/** @returns the URL of a server of the test's own */
export async function serverOf(t: Test): Promise<string> {
  const server = await startRedis(['--save', ''])
  t.teardown(() => server.stop())
  return server.url
}

/** Scripts that the server has run. */
export async function scriptsDuring(root: Redis, work: () => Promise<unknown>): Promise<number> {
  await root.config('RESETSTAT')
  await work()
  const stats = await root.info('commandstats')
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0)
}

/** Connections that the server has accepted. */
export async function connectionsTo(root: Redis): Promise<number> {
  return Number(/total_connections_received:(\d+)/.exec(await root.info('stats'))?.[1])
}
