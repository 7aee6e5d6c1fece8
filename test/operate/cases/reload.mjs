import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startObserved } from '../../helper/observed-gateway.mjs'
import { until } from '../../helper/processes.mjs'
import { connectClients, validateAll } from '../clients.mjs'

export const title = 'SIGHUP changes the log level, SIGUSR2 is ignored, and no session ends'

const clientCount = 5
const license = { serviceId: 'shop', key: 'AAAA-BBBB', hwid: 'pc' }

/** Certificates are in test/cli/reload.test.ts. */
export async function run({ check }) {
  const gateway = await startObserved({ keptLog: 200_000, envFile: 'COUNTERSIGN_LOG_LEVEL=warn\n' })
  const env = join(gateway.folder, '.env')
  const clients = await connectClients([gateway], clientCount)
  await gateway.admin('POST', '/licenses', { serviceId: license.serviceId, key: license.key })
  const lines = text => gateway.output.log.split('\n').filter(line => line.includes(text)).length
  check('at warn a request writes no line', lines('request completed') === 0)

  writeFileSync(env, 'COUNTERSIGN_LOG_LEVEL=info\n')
  process.kill(gateway.pid, 'SIGHUP')
  await until('the level was changed', 5000, () => lines('the log level was changed') === 1)
  await gateway.admin('GET', '/clients')
  await until('a request writes a line', 5000, () => lines('request completed') > 0)
  writeFileSync(env, 'COUNTERSIGN_LOG_LEVEL=loud\n')
  process.kill(gateway.pid, 'SIGHUP')
  await until('the level was refused', 5000, () => lines('the log level stays') === 1)
  process.kill(gateway.pid, 'SIGUSR2')
  await until('SIGUSR2 is ignored', 5000, () => lines('SIGUSR2 is ignored') === 1)

  const codes = await validateAll(clients, license)
  check(
    'every session answers',
    codes.every(code => code === 'VALID'),
    codes
  )
  check(
    'no session ended',
    clients.every(({ welcomes, lost }) => welcomes === 1 && lost.length === 0)
  )
  for (const { client } of clients) client.close()
  await gateway.stop()
  check('SIGTERM stops it in order', !gateway.isRunning())
}
