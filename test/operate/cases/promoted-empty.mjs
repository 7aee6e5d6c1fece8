import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startObserved } from '../../helper/observed-gateway.mjs'
import { loopback, makeFolder, startRedisServer, until } from '../../helper/processes.mjs'
import { connectClients, validateAll } from '../clients.mjs'
import { command } from '../command.mjs'
import { redisSettings } from '../gateways.mjs'
import { startReplicated } from '../redis-topologies.mjs'

export const title =
  'a primary restarts empty, and its replica, emptied by it, is promoted; a restore brings everything back'

const clientCount = 10
const failoverMs = 30_000
const readyMs = 20_000
const license = { serviceId: 'shop', key: 'AAAA-BBBB', hwid: 'pc' }

async function sizeOf(port) {
  const admin = new Redis(port, loopback)
  const size = await admin.dbsize()
  admin.disconnect()
  return size
}

export async function run({ check }) {
  const { url, primary, replicaPort } = await startReplicated()
  const gateway = await startObserved({ keptLog: 1_000_000, settings: redisSettings(url) })
  const clients = await connectClients([gateway], clientCount)
  await gateway.admin('POST', '/licenses', { serviceId: license.serviceId, key: license.key })
  const file = join(makeFolder(), 'backup.ndjson')
  await command(gateway, 'backup', file)
  await until('the replica has the records', 10_000, async () => (await sizeOf(replicaPort)) > 0)

  primary.child.signal('SIGKILL')
  await primary.child.exited
  rmSync(join(primary.folder, 'dump.rdb'), { force: true })
  const empty = await startRedisServer(primary.port, primary.folder)
  await until('the replica is empty too', 20_000, async () => (await sizeOf(replicaPort)) < 5)
  empty.child.signal('SIGKILL')
  await empty.child.exited
  const replica = new Redis(replicaPort, loopback)
  await until('the replica is promoted', failoverMs, async () => String((await replica.role())[0]) === 'master')
  replica.disconnect()

  // The empty primary was seen already: only the check of the store shows that the gateway has reached the promoted one.
  const readyz = await until('the gateway reaches it', readyMs, async () => {
    const text = await (await fetch(`${gateway.url}/readyz`)).text()
    return JSON.parse(text).checks.store === 'ok' && text.includes('no identity') ? text : undefined
  })
  check('readyz names the missing identity', true, readyz)
  const during = await validateAll(clients, license)
  check(
    'validate is answered UNAVAILABLE',
    during.every(code => code === 'UNAVAILABLE'),
    during
  )

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
  await gateway.stop()
}
