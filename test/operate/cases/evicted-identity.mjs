import { Redis } from 'ioredis'
import { freePort, loopback, startRedisServer, until } from '../../helper/processes.mjs'
import { checkRestored, checkUnserved, startBackedUp } from '../backed-up.mjs'

export const title = 'a Redis with allkeys-lru evicts the identity; noeviction and a restore bring everything back'

const mebibyte = 1024 * 1024
const fillerBytes = 100_000

/** Lowers maxmemory until Redis has evicted what the gateway keeps. */
async function evictAll(admin) {
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
  const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1])
  await admin.config('SET', 'maxmemory', String(used + mebibyte))
  for (let i = 0; i < 50; i++) await admin.set(`filler:${i}`, 'x'.repeat(fillerBytes)).catch(() => {})
  await admin.config('SET', 'maxmemory', String(Math.floor(used / 2)))
  // Every command evicts until the limit is met, or nothing is left.
  for (let i = 0; i < 20; i++) await admin.set('filler', 'x').catch(() => {})
}

export async function run({ check }) {
  const redis = await startRedisServer(await freePort())
  const backedUp = await startBackedUp(`redis://${loopback}:${redis.port}`)
  const { gateway } = backedUp
  const admin = new Redis(redis.port, loopback)
  await evictAll(admin)
  const evicted = Number(/evicted_keys:(\d+)/.exec(await admin.info('stats'))?.[1])
  check(`Redis evicted ${evicted} keys`, evicted > 0)

  const readyz = await until('not ready', 5000, async () => {
    const answer = await fetch(`${gateway.url}/readyz`)
    return answer.status === 503 ? answer.text() : undefined
  })
  check('readyz names the identity', readyz.includes('identity'), readyz)
  await checkUnserved(check, backedUp)
  check('the log has advice', /restore.*init-store|init-store.*restore/.test(gateway.output.log))

  await admin.config('SET', 'maxmemory', '0')
  await admin.config('SET', 'maxmemory-policy', 'noeviction')
  await admin.flushall()
  admin.disconnect()
  await checkRestored(check, backedUp)
}
