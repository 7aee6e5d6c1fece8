import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startObserved } from '../../helper/observed-gateway.mjs'
import { freePort, loopback, makeFolder, startRedisServer, until } from '../../helper/processes.mjs'
import { connectClients, validateAll } from '../clients.mjs'
import { command } from '../command.mjs'
import { redisSettings } from '../gateways.mjs'

export const title = 'a Redis with allkeys-lru evicts the identity; noeviction and a restore bring everything back'

const clientCount = 10
const readyMs = 15_000
const license = { serviceId: 'shop', key: 'AAAA-BBBB', hwid: 'pc' }
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
  const settings = redisSettings(`redis://${loopback}:${redis.port}`)
  const gateway = await startObserved({ keptLog: 1_000_000, settings })
  const clients = await connectClients([gateway], clientCount)
  await gateway.admin('POST', '/licenses', { serviceId: license.serviceId, key: license.key })
  const file = join(makeFolder(), 'backup.ndjson')
  await command(gateway, 'backup', file)
  const admin = new Redis(redis.port, loopback)
  await evictAll(admin)
  const evicted = Number(/evicted_keys:(\d+)/.exec(await admin.info('stats'))?.[1])
  check(`Redis evicted ${evicted} keys`, evicted > 0)

  const readyz = await until('not ready', 5000, async () => {
    const answer = await fetch(`${gateway.url}/readyz`)
    return answer.status === 503 ? answer.text() : undefined
  })
  check('readyz names the identity', readyz.includes('identity'), readyz)
  const during = await validateAll(clients, license)
  check(
    'validate is answered UNAVAILABLE',
    during.every(code => code === 'UNAVAILABLE'),
    during
  )
  check('the log names what to do', /restore.*init-store|init-store.*restore/.test(gateway.output.log))

  await admin.config('SET', 'maxmemory', '0')
  await admin.config('SET', 'maxmemory-policy', 'noeviction')
  await admin.flushall()
  const restored = await command(gateway, 'restore', file)
  check('it is restored', restored.code === 0, restored)
  await until('ready', readyMs, async () => (await fetch(`${gateway.url}/readyz`)).status === 200)
  const after = await validateAll(clients, license)
  check(
    `${clientCount} clients are back`,
    after.every(code => code === 'VALID'),
    after
  )
  check(
    'no client was stopped',
    clients.every(({ stopped }) => stopped.length === 0)
  )
  for (const { client } of clients) client.close()
  admin.disconnect()
  await gateway.stop()
}
