import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { loopback, startRedisServer, until } from '../../helper/processes.mjs'
import { checkRestored, checkUnserved, startBackedUp } from '../backed-up.mjs'
import { startReplicated } from '../redis-topologies.mjs'

export const title =
  'a primary restarts empty, and its replica, emptied by it, is promoted; a restore brings everything back'

const failoverMs = 30_000
const readyMs = 20_000

async function sizeOf(port) {
  const admin = new Redis(port, loopback)
  const size = await admin.dbsize()
  admin.disconnect()
  return size
}

export async function run({ check }) {
  const { url, primary, replicaPort } = await startReplicated()
  const backedUp = await startBackedUp(url)
  const { gateway } = backedUp
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
  await checkUnserved(check, backedUp)
  await checkRestored(check, backedUp)
}
