import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { createGateway, freePort, loopback, startRedisServer } from '../helper/processes.mjs'

/** The gateways that the Python tests run against, and the environment with their addresses. */

/** The shortest timeout that the gateway accepts. */
export const bridgeTimeoutSeconds = 30
/** Short, so that the tests of PROTOCOL §6 take seconds. */
export const freshSeconds = 2

const common = {
  COUNTERSIGN_LOG_LEVEL: 'error',
  COUNTERSIGN_DRAIN_SECONDS: '0',
  COUNTERSIGN_BRIDGE_TIMEOUT_SECONDS: `${bridgeTimeoutSeconds}`
}
/** No rate limits, no fresh challenges. */
const unlimited = { COUNTERSIGN_RATE_LIMIT: 'off', COUNTERSIGN_FRESH_CHALLENGE_SECONDS: '0' }

/** Gateways started so far; their output is shown if a test fails. */
export const started = []

function redisSettings(port) {
  return {
    COUNTERSIGN_STORE: `redis://${loopback}:${port}`,
    COUNTERSIGN_MASTER_KEY: randomBytes(32).toString('base64'),
    COUNTERSIGN_ADMIN_TOKEN: randomBytes(32).toString('base64url')
  }
}

export const stores = {
  'embedded store': async () => ({}),
  Redis: async () => redisSettings((await startRedisServer(await freePort())).port)
}

async function startGateway(settings) {
  const gateway = await createGateway({ ...common, ...settings })
  started.push(gateway)
  await gateway.start()
  return gateway
}

/** Starts a gateway. @returns the environment of its tests */
async function open(settings) {
  const { url, folder } = await startGateway(settings)
  const { COUNTERSIGN_ADMIN_TOKEN = readFileSync(join(folder, 'data/admin.token'), 'utf8').trim() } = settings
  return { INTEROP_URL: url, INTEROP_TOKEN: COUNTERSIGN_ADMIN_TOKEN }
}

/**
 * Three gateways, each on its own store of one kind: `short` with short heartbeats and fresh challenges, `long` with the
 * default heartbeats, `limiting` with low rate limits.
 */
export async function openEach(storeSettings) {
  const short = await open({
    COUNTERSIGN_RATE_LIMIT: 'off',
    COUNTERSIGN_FRESH_CHALLENGE_SECONDS: `${freshSeconds}`,
    COUNTERSIGN_HEARTBEAT_INTERVAL_SECONDS: '2',
    COUNTERSIGN_HEARTBEAT_TIMEOUT_SECONDS: '13',
    ...(await storeSettings())
  })
  const long = await open({ ...unlimited, ...(await storeSettings()) })
  const limiting = await open({ COUNTERSIGN_FRAMES_PER_SECOND: '5', ...(await storeSettings()) })
  return { short, long, limiting }
}

/** Commands of the tests of two instances, by the path of the request. */
function commandsOf(redis, instances) {
  const end = async (child, signal) => {
    child.signal(signal)
    await child.exited
  }
  const commands = {
    'redis/kill': () => end(redis.child, 'SIGKILL'),
    // A Redis that hangs: its connections stay open.
    'redis/pause': async () => redis.child.signal('SIGSTOP'),
    'redis/resume': async () => redis.child.signal('SIGCONT'),
    'redis/start': async () => Object.assign(redis, await startRedisServer(redis.port, redis.folder))
  }
  for (const [i, instance] of instances.entries()) {
    commands[`kill/${i + 1}`] = () => end(instance.child, 'SIGKILL')
    commands[`stop/${i + 1}`] = () => end(instance.child, 'SIGTERM')
    commands[`start/${i + 1}`] = () => instance.start()
  }
  return commands
}

/** Two instances over one Redis, and an HTTP server through which the tests kill and start the three processes. */
export async function openTwoInstances() {
  const redis = await startRedisServer(await freePort())
  const settings = { ...unlimited, ...redisSettings(redis.port), COUNTERSIGN_DRAIN_SECONDS: '2' }
  const instances = await Promise.all([1, 2].map(() => startGateway(settings)))
  const commands = commandsOf(redis, instances)
  const control = createServer((request, response) => {
    const command = commands[request.url.slice(1)]
    Promise.resolve(command?.()).then(
      () => response.writeHead(command === undefined ? 404 : 204).end(),
      error => response.writeHead(500).end(error.message)
    )
  })
  await new Promise(resolve => control.listen(0, loopback, resolve))
  const environment = {
    INTEROP_URL: instances[0].url,
    INTEROP_URL_2: instances[1].url,
    INTEROP_TOKEN: settings.COUNTERSIGN_ADMIN_TOKEN,
    INTEROP_CONTROL: `http://${loopback}:${control.address().port}`,
    INTEROP_REDIS_PORT: `${redis.port}`
  }
  return { environment, close: () => control.close() }
}
