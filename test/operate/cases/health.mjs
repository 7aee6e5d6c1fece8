import { startObserved } from '../../helper/observed-gateway.mjs'
import { freePort, loopback, startRedisServer, until } from '../../helper/processes.mjs'
import { redisSettings } from '../gateways.mjs'

export const title = 'readiness follows Redis, liveness does not'

async function statusOf(url) {
  return (await fetch(url)).status
}

export async function run({ check }) {
  const redis = await startRedisServer(await freePort())
  const gateway = await startObserved({ settings: redisSettings(`redis://${loopback}:${redis.port}`) })
  check('a gateway whose Redis answers is ready', (await statusOf(`${gateway.url}/readyz`)) === 200)
  redis.child.signal('SIGKILL')
  await redis.child.exited
  await until('not ready', 2000, async () => (await statusOf(`${gateway.url}/readyz`)) === 503)
  check('without Redis it stays alive', (await statusOf(`${gateway.url}/livez`)) === 200)
  await startRedisServer(redis.port, redis.folder)
  await gateway.stop()
}
