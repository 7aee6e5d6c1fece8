import { once } from 'node:events'
import { join } from 'node:path'
import { startObserved } from '../../helper/observed-gateway.mjs'
import { freePort, loopback, makeFolder, startRedisServer, until } from '../../helper/processes.mjs'
import { command, startCommand } from '../command.mjs'
import { newSecrets, redisSettings } from '../gateways.mjs'

export const title = 'a restore that is killed in the middle changes nothing, and a second one works; both stores'

const chunks = 40
const chunkLicenses = 500
const restorePath = /POST.*\/v1\/admin\/restore\/:restoreId"/g

/** A backup of 20,000 licenses. */
async function makeBackup(check, settings) {
  const { COUNTERSIGN_STORE: _, ...embedded } = settings
  const gateway = await startObserved({ settings: embedded })
  const { body } = await gateway.admin('POST', '/imports')
  for (let chunk = 0; chunk < chunks; chunk++) {
    const keyOf = i => `key-${chunk}-${i}`
    const licenses = Array.from({ length: chunkLicenses }, (_, i) => ({ serviceId: 'shop', key: keyOf(i) }))
    await gateway.admin('POST', `/imports/${body.importId}/licenses`, { licenses })
  }
  await gateway.admin('POST', `/imports/${body.importId}/commit`)
  const file = join(makeFolder(), 'backup.ndjson')
  const made = await command(gateway, 'backup', file)
  check('a backup is made', made.code === 0, made)
  await gateway.stop()
  return file
}

async function interrupt(check, file, gateway) {
  const licenses = async () => (await gateway.admin('GET', '/licenses?limit=1000')).body
  const { body: before } = await gateway.admin('GET', '/audit?limit=1000')
  const sent = () => gateway.output.log.match(restorePath)?.length ?? 0
  const child = startCommand(gateway, 'restore', file)
  await until('some chunks are sent', 30_000, () => sent() >= 3)
  child.kill('SIGKILL')
  await once(child, 'close')
  check(`killed after ${sent()} of ${chunks} chunks`, sent() < chunks)
  const readyz = await fetch(`${gateway.url}/readyz`)
  check('the gateway stays ready', readyz.status === 200, await readyz.text())
  check('there are no licenses', (await licenses()).items.length === 0)
  const { body: after } = await gateway.admin('GET', '/audit?limit=1000')
  check('the audit log is as before', JSON.stringify(after) === JSON.stringify(before), after)
  const { status } = await gateway.admin('POST', '/clients', { clientId: 'meanwhile' })
  check('the store serves', status === 201)
  await gateway.admin('DELETE', '/clients/meanwhile')

  const restored = await command(gateway, 'restore', file)
  check('a second restore works', restored.code === 0, restored)
  await until('ready', 15_000, async () => (await fetch(`${gateway.url}/readyz`)).status === 200)
  check('and has everything', (await licenses()).items.length === 1000 && (await licenses()).next !== undefined)
  const { body: verified } = await gateway.admin('GET', '/audit/verify')
  check('the audit log is intact', verified.brokenAt === undefined, verified)
}

export async function run({ check }) {
  const redis = await startRedisServer(await freePort())
  const settings = redisSettings(`redis://${loopback}:${redis.port}`, newSecrets())
  const { COUNTERSIGN_STORE: _, ...embedded } = settings
  const file = await makeBackup(check, settings)
  for (const [store, each] of Object.entries({ Redis: settings, embedded })) {
    const checkStore = (what, ...rest) => check(`${store}: ${what}`, ...rest)
    const gateway = await startObserved({ keptLog: 1_000_000, settings: { ...each, COUNTERSIGN_LOG_LEVEL: 'info' } })
    await interrupt(checkStore, file, gateway)
    await gateway.stop()
  }
}
