import { Redis } from 'ioredis'
import { BridgeSession, openMany, WsSession } from '../lib/countersign.mjs'
import { Fan, publication } from '../lib/fan.mjs'
import { interleave, keepAsking, median, ratio } from '../lib/measure.mjs'
import { createCredential, startGateway, startPeer, startRedis, versionOf } from '../lib/processes.mjs'
import { barHead, held, log, table, us, write } from '../lib/report.mjs'
import { SocketIoSession } from '../lib/socket-io.mjs'

// Cost of operations for Redis: CPU of its process, and commands.

const names = {
  ours: 'countersign, publish',
  socketIo: 'Socket.IO, redis-adapter',
  bare: 'PUBLISH alone',
  oursMany: 'countersign, publish, 20 in flight',
  bareMany: 'PUBLISH alone, 20 in flight'
}
const inFlight = 20

const isOurPublication = text => text.startsWith('{"type":"publication"')
const isTheirPublication = text => text.startsWith('42["publication"')

/** One operation is a publication that both subscribers have received. */
function side(name, redis, fan, stop) {
  return { name, redis, stop, cpuUs: redis.cpuUs, run: async ms => (await fan.run(ms)) / 2 }
}

async function openGateways(redis) {
  const gateways = [await startGateway({ redisUrl: redis.url }), await startGateway({ redisUrl: redis.url })]
  return { gateways, credential: await createCredential(gateways[0]) }
}

/** A subscriber on each of two instances; the publishers are on the first. */
async function countersign() {
  const redis = await startRedis()
  const { gateways, credential } = await openGateways(redis)
  const subscribers = await openMany(2, i => WsSession.open(gateways[i].url, credential))
  for (const each of subscribers) await each.ask('subscribe', ',"channel":"bench:fan"')
  const publishers = await openMany(inFlight, () => WsSession.open(gateways[0].url, credential))
  const [{ socket }] = publishers
  const members = `,"channel":"bench:fan","data":${publication}`
  const sockets = subscribers.map(each => each.socket)
  const fan = new Fan(sockets, () => socket.send(publishers[0].text('publish', members)), isOurPublication)
  socket.onText = () => {}
  const stop = async () => {
    for (const each of [...subscribers, ...publishers]) each.close()
    for (const gateway of gateways) await gateway.stop()
    await redis.stop()
  }
  const askers = publishers.map(each => ({ request: () => each.ask('publish', members) }))
  const many = { name: names.oursMany, cpuUs: redis.cpuUs, run: ms => keepAsking(askers, ms) }
  return [side(names.ours, redis, fan, stop), many]
}

async function socketIo() {
  const redis = await startRedis()
  const env = { ADAPTER: 'pubsub', REDIS_URL: redis.url }
  const servers = [await startPeer('socket-io', env), await startPeer('socket-io', env)]
  const subscribers = await openMany(2, i => SocketIoSession.open(servers[i].url))
  for (const each of subscribers) await each.ask('subscribe', '{}')
  const publisher = await SocketIoSession.open(servers[0].url)
  const sockets = subscribers.map(each => each.socket)
  const fan = new Fan(sockets, () => publisher.socket.send(`42["publish",${publication}]`), isTheirPublication)
  const stop = async () => {
    for (const each of [...subscribers, publisher]) each.close()
    for (const server of servers) await server.stop()
    await redis.stop()
  }
  return [side(names.socketIo, redis, fan, stop)]
}

/** The least that a publication to two instances can cost: a PUBLISH to two connections. */
async function bare() {
  const redis = await startRedis()
  const [publisher, ...subscribers] = Array.from({ length: 3 }, () => new Redis(redis.url))
  const sockets = subscribers.map(() => ({ onText: () => {} }))
  for (const [i, each] of subscribers.entries()) {
    await each.subscribe('bench:fan')
    each.on('message', (_channel, text) => sockets[i].onText(text))
  }
  const publish = () => publisher.publish('bench:fan', publication)
  const fan = new Fan(sockets, publish, () => true)
  const stop = async () => {
    for (const each of [publisher, ...subscribers]) each.disconnect()
    await redis.stop()
  }
  const askers = Array.from({ length: inFlight }, () => ({ request: publish }))
  const many = { name: names.bareMany, cpuUs: redis.cpuUs, run: ms => keepAsking(askers, ms) }
  return [side(names.bare, redis, fan, stop), many]
}

async function comparePublications(pace) {
  const sides = [...(await countersign()), ...(await socketIo()), ...(await bare())]
  const results = await interleave(sides, pace)
  for (const { stop } of sides) await stop?.()
  return results
}

/** Commands of Redis by name, and CPU, for each operation. Periodic commands are subtracted. */
async function countOperations(times) {
  const redis = await startRedis()
  const { gateways, credential } = await openGateways(redis)
  const [{ url }] = gateways
  const ws = await WsSession.open(url, credential)
  const bridge = await BridgeSession.open([url], credential)
  let count = 0
  const publish = (more = '') => ws.ask('publish', `,"channel":"bench:one","data":${publication}${more}`)
  const operations = new Map([
    ['ws: handshake', async () => (await WsSession.open(url, credential)).close()],
    ['ws: heartbeat', () => ws.ask('heartbeat')],
    ['ws: publish', () => publish()],
    ['ws: publish with an idempotency key', () => publish(`,"idempotencyKey":"${++count}"`)],
    [
      'ws: subscribe to a new channel, unsubscribe',
      async () => {
        await ws.ask('subscribe', `,"channel":"bench:new${++count}"`)
        await ws.ask('unsubscribe', `,"channel":"bench:new${count}"`)
      }
    ],
    ['bridge: exchange without a message', () => bridge.exchange()],
    ['bridge: exchange with a heartbeat', () => bridge.exchange([bridge.text('heartbeat')])],
    [
      'bridge: exchange with a publish',
      () => bridge.exchange([bridge.text('publish', `,"channel":"bench:one","data":${publication}`)])
    ]
  ])
  const rows = []
  for (const [name, work] of operations) {
    for (let i = 0; i < 3; i++) await work()
    const repeat = async () => {
      for (let i = 0; i < times; i++) await work()
    }
    const { counts, seconds } = await timed(() => redis.commandsDuring(repeat))
    const idle = await redis.commandsDuring(() => new Promise(resolve => setTimeout(resolve, 1000)))
    const before = await redis.cpuUs()
    await repeat()
    const cpuUs = ((await redis.cpuUs()) - before) / times
    const commands = [...counts]
      .map(([command, n]) => [command, (n - (idle.counts.get(command) ?? 0) * seconds) / times])
      .filter(([, n]) => n >= 0.1)
    rows.push({ name, cpuUs, commands })
  }
  for (const each of [ws, bridge]) each.close()
  for (const gateway of gateways) await gateway.stop()
  await redis.stop()
  return { rows, version: redis.version }
}

async function timed(work) {
  const since = performance.now()
  const { counts } = await work()
  return { counts, seconds: (performance.now() - since) / 1000 }
}

function namesOf(commands, isWithin) {
  const some = commands.filter(([name]) => name.startsWith('script:') === isWithin)
  return some.map(([name, n]) => `${name.replace('script: ', '')} ${n.toFixed(1)}`).join(', ') || '–'
}

export default async function run({ pace, out, quick }) {
  log('  publications …')
  const results = await comparePublications(pace)
  log('  operations …')
  const { rows, version } = await countOperations(quick ? 10 : 300)
  write({
    ...{ out, name: 'redis', title: 'What operations cost Redis' },
    intro:
      'CPU of the Redis process alone. A publication goes to one subscriber on each of two instances; the next one ' +
      'follows when both have it, or 20 are in flight. `PUBLISH alone` is a PUBLISH to two connections, which keeps nothing; ' +
      'Countersign numbers each publication, keeps it in a history and checks the fence.',
    versions: {
      'Socket.IO': versionOf('socket.io'),
      'redis-adapter': versionOf('@socket.io/redis-adapter'),
      Redis: version
    },
    sections: [
      table(
        ['', 'Redis: CPU per publication'],
        Object.values(names).map(name => [name, us(median(results.get(name).us))])
      ),
      table(
        ['operation', 'commands', 'within scripts', 'Redis: CPU, one after the other'],
        rows.map(({ name, cpuUs, commands }) => [name, namesOf(commands, false), namesOf(commands, true), us(cpuUs)])
      ),
      table(barHead, [
        held('a publication, to Socket.IO, redis-adapter', ratio(results, names.ours, names.socketIo), { most: 1.2 }),
        held('20 in flight, to PUBLISH alone', ratio(results, names.oursMany, names.bareMany), { most: 1.2 })
      ])
    ],
    panels: [
      {
        title: 'CPU of Redis per publication, µs (less is better)',
        bars: Object.values(names).map(name => ({
          ...{ name, value: median(results.get(name).us) },
          isOurs: name.startsWith('countersign')
        }))
      }
    ]
  })
}
