import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startObserved } from '../../helper/observed-gateway.mjs'
import { freePort, loopback, pause, startRedisServer, until } from '../../helper/processes.mjs'
import { openRawSocket } from '../../helper/raw-client.mjs'
import { connectClients, validateAll } from '../clients.mjs'
import { newSecrets, redisSettings } from '../gateways.mjs'

export const symptoms = ['the store is empty, or another one']
export const title = 'Redis restarts empty under two gateways with 40 clients, and its snapshot comes back'

const clientCount = 40
const notReadyMs = 3000
const readyMs = 15_000
/** Characters of a gateway's log that are looked at. */
const keptLog = 4_000_000
const serviceId = 'shop'
const key = 'AAAA-BBBB'

async function readyStatuses(gateways) {
  const answers = await Promise.all(gateways.map(({ url }) => fetch(`${url}/readyz`)))
  return answers.map(({ status }) => status)
}

const allAre = (statuses, wanted) => statuses.every(status => status === wanted)

/** A handshake of a client that exists. @returns the status of the refusal, or `open` */
async function handshake({ url }, credential) {
  try {
    const { socket } = await openRawSocket(url, credential)
    socket.close()
    return 'open'
  } catch (error) {
    return /\d{3,4}|[A-Z_]{5,}/.exec(error.message)?.[0] ?? error.message
  }
}

/** Restarts Redis in its folder: with the snapshot that lies there, or empty. */
async function restartRedis(redis, prepare) {
  redis.child.signal('SIGKILL')
  await redis.child.exited
  prepare()
  return startRedisServer(redis.port, redis.folder)
}

export async function run({ check }) {
  let redis = await startRedisServer(await freePort())
  const settings = redisSettings(`redis://${loopback}:${redis.port}`, newSecrets())
  const gateways = [await startObserved({ settings, keptLog }), await startObserved({ settings, keptLog })]
  const [first, second] = gateways
  const clients = await connectClients(gateways, clientCount)
  await first.admin('POST', '/licenses', { serviceId, key, maxHwids: clientCount })
  const before = await validateAll(clients, { serviceId, key, hwid: 'pc' })
  check(
    'every client validates',
    before.every(code => code === 'VALID'),
    before
  )

  const admin = new Redis(redis.port, loopback)
  await admin.save()
  admin.disconnect()
  const dump = join(redis.folder, 'dump.rdb')
  copyFileSync(dump, `${dump}.kept`)
  const emptiedAt = performance.now()
  redis = await restartRedis(redis, () => rmSync(dump))
  await until('not ready', notReadyMs, async () => allAre(await readyStatuses(gateways), 503))
  check(`not ready within ${notReadyMs} ms`, performance.now() - emptiedAt < notReadyMs)

  // Half of the clients have to open another session.
  for (const { client } of clients.slice(0, clientCount / 2)) client.close()
  await pause(500)
  for (const { client } of clients.slice(0, clientCount / 2)) client.connect()
  const during = await validateAll(clients.slice(clientCount / 2), { serviceId, key, hwid: 'pc' })
  check(
    'validate is answered UNAVAILABLE',
    during.every(code => code === 'UNAVAILABLE'),
    during
  )
  const refused = await Promise.all(gateways.map(gateway => handshake(gateway, clients[0].credential)))
  check('handshakes are refused with 503', allAre(refused, '503'), refused)
  const { status } = await first.admin('GET', '/clients')
  const made = await second.admin('POST', '/licenses', { serviceId, key: 'CCCC' })
  check('admin calls are refused with 503', status === 503 && made.status === 503, [status, made])
  await pause(3000)
  check('still not ready', allAre(await readyStatuses(gateways), 503))

  redis = await restartRedis(redis, () => copyFileSync(`${dump}.kept`, dump))
  await until('ready again', readyMs, async () => allAre(await readyStatuses(gateways), 200))
  const after = await validateAll(clients, { serviceId, key, hwid: 'pc' })
  const back = after.filter(code => code === 'VALID').length
  check(`${back} of ${clientCount} clients are back`, back === clientCount, after)
  const stopped = clients.flatMap(each => each.stopped)
  check('no client was stopped', stopped.length === 0, stopped)
  const { body } = await second.admin('GET', '/licenses')
  check('no license was lost', body.items.length === 1, body)
  for (const { output } of gateways) {
    const lines = output.log.split('\n')
    const began = lines.filter(line => line.includes('restore') && line.includes('init-store'))
    check('one line reports the begin, with advice', began.length === 1, began)
    check('one line reports the end', lines.filter(line => line.includes('the store is back')).length === 1)
  }
  for (const { client } of clients) client.close()
  for (const gateway of gateways) await gateway.stop()
}
