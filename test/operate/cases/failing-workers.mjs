import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startObserved } from '../../helper/observed-gateway.mjs'
import { freePort, loopback, makeFolder, startRedisServer, until } from '../../helper/processes.mjs'
import { connectClients, validateAll } from '../clients.mjs'
import { redisSettings } from '../gateways.mjs'

export const symptoms = ['workers end again and again']
export const title = 'a worker that cannot start again is reported once, and the others serve'

const license = { serviceId: 'shop', key: 'AAAA-BBBB', hwid: 'pc' }
const waitMs = 30_000

/** @returns a module that ends each worker that starts while its file exists */
function writeFault(flag) {
  const path = join(makeFolder(), 'fault.mjs')
  writeFileSync(
    path,
    `import { existsSync } from 'node:fs'
    if (process.argv[1]?.endsWith('worker.js') && existsSync(${JSON.stringify(flag)})) process.exit(3)`
  )
  return path
}

export async function run({ check }) {
  const redis = await startRedisServer(await freePort())
  const flag = join(makeFolder(), 'flag')
  const settings = {
    ...redisSettings(`redis://${loopback}:${redis.port}`),
    COUNTERSIGN_WORKERS: '2',
    NODE_OPTIONS: `--import=file://${writeFault(flag)}`
  }
  const gateway = await startObserved({ keptLog: 300_000, settings })
  const lines = text => gateway.output.log.split('\n').filter(line => line.includes(`"msg":"${text}`))
  await until('both have their line', waitMs, () => lines('a worker serves').length === 2)
  const clients = await connectClients([gateway], 4)
  await gateway.admin('POST', '/licenses', { serviceId: license.serviceId, key: license.key })
  const isServed = async () => (await validateAll(clients, license)).every(code => code === 'VALID')
  check('every session answers', await isServed())

  writeFileSync(flag, '')
  const { workerPid } = JSON.parse(lines('a worker serves')[0])
  process.kill(workerPid, 'SIGKILL')
  await until('it is reported', waitMs, () => lines('a worker ends again and again').length === 1)
  check('two lines before', lines('a worker ended: another one starts in its place').length === 2)
  check('the clients of the lost worker are served by the other one', await isServed())
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
  check('the metrics show one worker of two', /^countersign_workers 1$/m.test(metrics))
  check('and two configured', /^countersign_workers_configured 2$/m.test(metrics))

  rmSync(flag)
  await until('another one serves', waitMs, () => lines('a worker serves').length === 3)
  check('it was reported once', lines('a worker ends again and again').length === 1)
  for (const { client } of clients) client.close()
  await gateway.stop()
  check('SIGTERM stops all', !gateway.isRunning())
}
