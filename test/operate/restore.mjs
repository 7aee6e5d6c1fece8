import { statSync } from 'node:fs'
import { join } from 'node:path'
import { startObserved } from '../helper/observed-gateway.mjs'
import { makeFolder, until } from '../helper/processes.mjs'
import { connectClients, validateAll } from './clients.mjs'
import { command } from './command.mjs'
import { newSecrets, redisSettings } from './gateways.mjs'

/** Empties a Redis under two gateways with 40 clients, and restores a backup with the command line. */

const clientCount = 40
const readyMs = 15_000
const license = { serviceId: 'shop', key: 'AAAA-BBBB', hwid: 'pc' }

async function ready(gateways) {
  const answers = await Promise.all(gateways.map(({ url }) => fetch(`${url}/readyz`)))
  return answers.map(({ status }) => status).join()
}

/**
 * @param {object} redis
 * @param {string} redis.url             for COUNTERSIGN_STORE
 * @param {() => Promise<void>} redis.empty
 */
export async function emptyAndRestore({ check }, { url, empty }) {
  const settings = redisSettings(url, newSecrets())
  const gateways = [await startObserved({ settings }), await startObserved({ settings })]
  const [first, second] = gateways
  const clients = await connectClients(gateways, clientCount)
  await first.admin('POST', '/licenses', { serviceId: license.serviceId, key: license.key })
  await validateAll(clients.slice(0, 1), license)
  const file = join(makeFolder(), 'backup.ndjson')
  const made = await command(first, 'backup', file)
  check('a backup is made while the gateways run', made.code === 0, made)
  check('only its owner can read it', (statSync(file).mode & 0o777) === 0o600)
  check('an existing file is not replaced', (await command(first, 'backup', file)).code === 1)
  check('a store with clients is not replaced', (await command(first, 'restore', file)).code === 1)

  await empty()
  await until('not ready', 3000, async () => (await ready(gateways)) === '503,503')
  // All of them have to open another session.
  for (const { client } of clients) client.close()
  for (const { client } of clients) client.connect()
  const restored = await command(second, 'restore', file)
  check('a gateway that refuses everything else restores it', restored.code === 0, restored)
  check('it names the clients that the restore revives', restored.output.includes('in force again'), restored)
  await until('ready again', readyMs, async () => (await ready(gateways)) === '200,200')
  const after = await validateAll(clients, license)
  const back = after.filter(code => code === 'VALID').length
  check(`${back} of ${clientCount} clients are back`, back === clientCount, after)
  const stopped = clients.flatMap(each => each.stopped)
  check('no client was stopped', stopped.length === 0, stopped)
  const { body } = await first.admin('GET', '/audit/verify')
  check('the audit log is intact', body.brokenAt === undefined, body)

  // Into another store, with the embedded one and the same master key.
  const { COUNTERSIGN_STORE: _, ...embedded } = settings
  const third = await startObserved({ settings: embedded })
  const moved = await command(third, 'restore', file)
  check('the embedded store restores the backup of Redis', moved.code === 0, moved)
  const { body: page } = await third.admin('GET', '/clients?limit=100')
  check('with all its clients', page.items.length === clientCount)
  for (const { client } of clients) client.close()
  for (const gateway of [...gateways, third]) await gateway.stop()
}
