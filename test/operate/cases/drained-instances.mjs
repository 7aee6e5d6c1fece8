import { startObserved } from '../../helper/observed-gateway.mjs'
import { freePort, loopback, pause, startRedisServer } from '../../helper/processes.mjs'
import { openRawBridge, openRawSocket, signText } from '../../helper/raw-client.mjs'
import { startBalancer } from '../balancer.mjs'
import { connectClients } from '../clients.mjs'
import { redisSettings } from '../gateways.mjs'

export const title = 'instances that stop let their clients go, promptly and without an abrupt close'

const clientCount = 60
const pollerCount = 6
const rawCount = 20
/** With the default drain time of 10 s it would be above, if anything waited for its end. */
const promptMs = 6000
const drainingCode = 4512

/** Holds polls on any instance behind the balancer until it is over, and counts exchanges without an answer. */
function startPoller(url, session) {
  const poller = { failed: [], isOver: false, done: undefined }
  let { poll } = session
  const path = new URL(session.url).pathname
  const exchange = async () => {
    const message = { type: 'poll', poll: poll++, ack: session.ack, wait: 5 }
    const body = signText(session.clientKey, JSON.stringify(message))
    const answer = await fetch(`${url}${path}`, { method: 'POST', body: Buffer.concat([body, Buffer.from('\n')]) })
    const text = await answer.text()
    for (const line of text.split('\n').filter(each => each.includes('"seq"'))) {
      session.ack = Math.max(session.ack, JSON.parse(line).seq)
    }
    if (answer.status !== 200) poller.failed.push(`${answer.status} ${text.slice(0, 100)}`)
  }
  poller.done = (async () => {
    while (!poller.isOver) {
      await exchange().catch(error => poller.failed.push(String(error.cause ?? error)))
      if (poller.failed.length > 0) await pause(100)
    }
  })()
  return poller
}

async function stopTimed(gateway) {
  const began = performance.now()
  await gateway.stop()
  return Math.round(performance.now() - began)
}

export async function run({ check }) {
  const redis = await startRedisServer(await freePort())
  const settings = { ...redisSettings(`redis://${loopback}:${redis.port}`), COUNTERSIGN_RATE_LIMIT: 'off' }
  const start = () => startObserved({ settings })
  const instances = [await start(), await start(), await start()]
  const balancer = await startBalancer(instances)
  const admin = (...args) => instances[0].admin(...args)
  const clients = await connectClients([{ url: balancer.url, admin }], clientCount)
  for (const { client } of clients) client.on('trouble', () => {})
  const { body: credential } = await instances[0].admin('POST', '/clients', { clientId: 'raw' })
  const pollers = []
  for (let i = 0; i < pollerCount; i++) {
    pollers.push(startPoller(balancer.url, await openRawBridge(balancer.url, credential)))
  }

  for (const [i, instance] of instances.entries()) {
    balancer.leave(instance)
    const stoppedMs = await stopTimed(instance)
    check(`instance ${i + 1} of 3 stops within ${promptMs} ms: ${stoppedMs} ms`, stoppedMs < promptMs)
    instances[i] = await start()
    balancer.join(instances[i])
  }
  const lost = clients.flatMap(client => client.lost)
  check(`${clientCount} ws clients moved over three restarts, none lost its session`, lost.length === 0, lost)
  const failed = pollers.flatMap(poller => poller.failed)
  check(`${pollerCount} bridge clients had each exchange answered`, failed.length === 0, failed)

  const raw = []
  for (let i = 0; i < rawCount; i++) raw.push(await openRawSocket(instances[i % instances.length].url, credential))
  const codes = raw.map(({ socket }) => new Promise(resolve => socket.once('close', resolve)))
  for (const poller of pollers) poller.isOver = true
  for (const instance of instances) balancer.leave(instance)
  const together = await Promise.all(instances.map(stopTimed))
  check(`three that are stopped together do not wait for each other: ${together} ms`, Math.max(...together) < promptMs)
  const closed = await Promise.all(codes)
  const orderly = closed.every(code => code === drainingCode)
  check(`${rawCount} clients that stayed received DRAINING`, orderly, closed)
  for (const { client } of clients) client.close()
  await Promise.all(pollers.map(poller => poller.done))

  const last = await start()
  const many = []
  for (let i = 0; i < 300; i++) many.push(await openRawSocket(last.url, credential))
  const ends = many.map(({ socket }) => new Promise(resolve => socket.once('close', resolve)))
  const aloneMs = await stopTimed(last)
  check(`the only instance lets 300 clients go at once: ${aloneMs} ms`, aloneMs < promptMs)
  const endCodes = await Promise.all(ends)
  const abrupt = endCodes.filter(code => code !== drainingCode)
  check('none of them was closed abruptly', abrupt.length === 0, abrupt)
  balancer.close()
}
