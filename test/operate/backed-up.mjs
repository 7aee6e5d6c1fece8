import { join } from 'node:path'
import { startObserved } from '../helper/observed-gateway.mjs'
import { makeFolder, until } from '../helper/processes.mjs'
import { connectClients, validateAll } from './clients.mjs'
import { command } from './command.mjs'
import { redisSettings } from './gateways.mjs'

/** A gateway over a Redis that loses everything, with clients and a backup from before. */

const clientCount = 10
const readyMs = 20_000
const license = { serviceId: 'shop', key: 'AAAA-BBBB', hwid: 'pc' }

/** @param url  for COUNTERSIGN_STORE */
export async function startBackedUp(url) {
  const gateway = await startObserved({ keptLog: 1_000_000, settings: redisSettings(url) })
  const clients = await connectClients([gateway], clientCount)
  await gateway.admin('POST', '/licenses', { serviceId: license.serviceId, key: license.key })
  const file = join(makeFolder(), 'backup.ndjson')
  await command(gateway, 'backup', file)
  return { gateway, clients, file }
}

/** Checks that no request is answered from the current store. */
export async function checkUnserved(check, { clients }) {
  const codes = await validateAll(clients, license)
  check(
    'validate is answered UNAVAILABLE',
    codes.every(code => code === 'UNAVAILABLE'),
    codes
  )
}

/**
 * Restores the backup, checks that all clients are back, and ends them and the gateway.
 * @param more  runs before they end
 */
export async function checkRestored(check, { gateway, clients, file }, more = async () => undefined) {
  const restored = await command(gateway, 'restore', file)
  check('it is restored', restored.code === 0, restored)
  await until('ready', readyMs, async () => (await fetch(`${gateway.url}/readyz`)).status === 200)
  const codes = await validateAll(clients, license)
  check(
    `${clientCount} clients are back`,
    codes.every(code => code === 'VALID'),
    codes
  )
  check(
    'no client was stopped',
    clients.every(({ stopped }) => stopped.length === 0)
  )
  await more()
  for (const { client } of clients) client.close()
  await gateway.stop()
}
