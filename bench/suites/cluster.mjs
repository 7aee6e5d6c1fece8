import { CentrifugoSession, centrifugoVersion, startCentrifugo } from '../lib/centrifugo.mjs'
import { openMany, WsSession } from '../lib/countersign.mjs'
import { Fan, publication } from '../lib/fan.mjs'
import { interleave, median, ratio } from '../lib/measure.mjs'
import { createCredential, startGateway, startPeer, startRedis, versionOf } from '../lib/processes.mjs'
import { barHead, held, log, ms, table, us, write } from '../lib/report.mjs'
import { SocketIoSession } from '../lib/socket-io.mjs'

// One publication to sockets on two instances, over Redis.

const names = {
  ours: 'countersign',
  pubSub: 'Socket.IO, redis-adapter',
  streams: 'Socket.IO, redis-streams-adapter',
  centrifugo: 'Centrifugo'
}

/** Two instances of one side, half of the subscribers on each; the publisher is on the first. */
async function countersign(redis, count) {
  const servers = [await startGateway({ redisUrl: redis.url }), await startGateway({ redisUrl: redis.url })]
  const credential = await createCredential(servers[0])
  const sessions = await openMany(count, i => WsSession.open(servers[i % 2].url, credential))
  await Promise.all(sessions.map(each => each.ask('subscribe', ',"channel":"bench:fan"')))
  const publisher = await WsSession.open(servers[0].url, credential)
  publisher.socket.onText = () => {}
  const publish = () => publisher.socket.send(publisher.text('publish', `,"channel":"bench:fan","data":${publication}`))
  const isPublication = text => text.startsWith('{"type":"publication"')
  return { servers, clients: [...sessions, publisher], fan: new Fan(socketsOf(sessions), publish, isPublication) }
}

async function socketIo(redis, count, adapter) {
  const env = { ADAPTER: adapter, REDIS_URL: redis.url }
  const servers = [await startPeer('socket-io', env), await startPeer('socket-io', env)]
  const sessions = await openMany(count, i => SocketIoSession.open(servers[i % 2].url))
  await Promise.all(sessions.map(each => each.ask('subscribe', '{}')))
  const publisher = await SocketIoSession.open(servers[0].url)
  const publish = () => publisher.socket.send(`42["publish",${publication}]`)
  const isPublication = text => text.startsWith('42["publication"')
  return { servers, clients: [...sessions, publisher], fan: new Fan(socketsOf(sessions), publish, isPublication) }
}

async function centrifugo(redis, count) {
  const servers = [await startCentrifugo({ redisUrl: redis.url }), await startCentrifugo({ redisUrl: redis.url })]
  const sessions = await openMany(count, i => CentrifugoSession.open(servers[i % 2].url))
  await Promise.all(sessions.map(each => each.ask('"subscribe":{"channel":"fan"}')))
  const publisher = await CentrifugoSession.open(servers[0].url)
  publisher.socket.onText = () => {}
  const publish = () => publisher.socket.send(publisher.text(`"publish":{"channel":"fan","data":${publication}}`))
  const isPublication = text => text.startsWith('{"push"')
  return { servers, clients: [...sessions, publisher], fan: new Fan(socketsOf(sessions), publish, isPublication) }
}

const socketsOf = sessions => sessions.map(({ socket }) => socket)

const starts = {
  [names.ours]: countersign,
  [names.pubSub]: (redis, count) => socketIo(redis, count, 'pubsub'),
  [names.streams]: (redis, count) => socketIo(redis, count, 'streams'),
  [names.centrifugo]: centrifugo
}

/** Each side has a Redis of its own: what one leaves there does not burden the other. */
async function startSide(name, count) {
  const redis = await startRedis()
  const side = await starts[name](redis, count)
  // A few publications, until both instances have heard of each other.
  await side.fan.run(200)
  return {
    ...{ name, redis, ...side },
    run: ms => side.fan.run(ms),
    async cpuUs() {
      const used = await Promise.all(side.servers.map(server => server.cpuUs()))
      return used.reduce((sum, each) => sum + each, 0)
    },
    async stop() {
      for (const client of side.clients) client.close()
      await Promise.all(side.servers.map(server => server.stop()))
      await redis.stop()
    }
  }
}

/** Commands of Redis for one publication, above those without publications. */
async function countCommands({ redis, fan, clients }, sliceMs) {
  const subscribers = clients.length - 1
  const quiet = await redis.commandsDuring(() => new Promise(resolve => setTimeout(resolve, sliceMs)))
  const since = performance.now()
  const busy = await redis.commandsDuring(() => fan.run(sliceMs))
  const share = (performance.now() - since) / sliceMs
  const publications = busy.result / subscribers
  return [...busy.counts]
    .map(([name, count]) => [name, (count - (quiet.counts.get(name) ?? 0) * share) / publications])
    .filter(([, count]) => count > 0.05)
}

/** CPU of Redis per publication, in turns. */
function compareInRedis(sides, count, pace) {
  const ofRedis = ({ name, redis, run }) => ({ name, cpuUs: redis.cpuUs, run: async ms => (await run(ms)) / count })
  return interleave(sides.map(ofRedis), { ...pace, rounds: Math.min(pace.rounds, 5) })
}

const notes = `## What the figures consist of

A publication is one Redis command, a script that handles idempotency, the fence, the offset, the history with its expiry, and the PUBLISH. The publisher's instance delivers to its own sessions when Redis notifies it, like every other instance. With few subscribers, the fixed cost of a publication (the script's call and answer, its parse on each instance, the signed \`published\`) is shared by few deliveries. With many subscribers, the ratio is that of the signatures.`

export default async function run({ pace, out, quick }) {
  const counts = quick ? [20] : [200, 2000]
  const results = {}
  const latencies = {}
  const commands = new Map()
  const centrifugoIs = centrifugoVersion()
  const measured = Object.values(names).filter(name => name !== names.centrifugo || centrifugoIs !== undefined)
  let inRedis
  let version = ''
  for (const count of counts) {
    log(`  ${count} subscribers on two instances …`)
    const sides = []
    for (const name of measured) sides.push(await startSide(name, count))
    results[count] = await interleave(sides, { ...pace, rounds: Math.min(pace.rounds, 6) })
    latencies[count] = new Map(sides.map(({ name, fan }) => [name, fan.drainLatencies()]))
    if (count === counts[0]) {
      inRedis = await compareInRedis(sides, count, pace)
      for (const side of sides) commands.set(side.name, await countCommands(side, quick ? 200 : 1000))
    }
    version = sides[0].redis.version
    for (const side of sides) await side.stop()
  }

  const row = name => [
    name,
    ...counts.flatMap(count => {
      const { p50, p99 } = latencies[count].get(name)
      return [us(median(results[count].get(name).us)), `${ms(p50)}, ${ms(p99)}`]
    })
  ]
  const bar = (count, base, most) =>
    held(`${count} subscribers, per delivery, to ${base}`, ratio(results[count], names.ours, base), { most })
  const barOfRedis = (base, most) =>
    held(`Redis, per publication, to ${base}`, ratio(inRedis, names.ours, base), { most })
  write({
    ...{ out, name: 'cluster', title: 'A publication over two instances and Redis' },
    intro:
      'Half of the subscribers are on each instance; the publisher is on the first. CPU is the sum of both ' +
      'instances, per delivery. Latency is measured from the sending of a publication to each delivery, one ' +
      'publication at a time. Countersign keeps each publication in a history for recovery, in one script; the ' +
      'streams adapter keeps one stream of everything; the pub/sub adapter keeps nothing. Centrifugo keeps a history ' +
      'and positions, as Countersign does. The CPU of Redis is that per publication to the first number of subscribers.',
    versions: {
      'Socket.IO': versionOf('socket.io'),
      'redis-adapter': versionOf('@socket.io/redis-adapter'),
      'redis-streams-adapter': versionOf('@socket.io/redis-streams-adapter'),
      Centrifugo: centrifugoIs ?? '(not on the PATH)',
      Redis: version
    },
    sections: [
      table(
        ['', ...counts.flatMap(count => [`${count}: CPU per delivery`, 'p50, p99 of delivery'])],
        measured.map(row)
      ),
      table(
        ['', 'Redis: CPU per publication', 'commands per publication (counted with MONITOR)'],
        measured.map(name => [
          name,
          us(median(inRedis.get(name).us)),
          commands
            .get(name)
            .map(([command, count]) => `${command} ${count.toFixed(1)}`)
            .join(', ')
        ])
      ),
      table(barHead, [
        ...counts.flatMap(count => [
          bar(count, names.pubSub, count < 1000 ? 1.05 : 0.95),
          ...(centrifugoIs === undefined ? [] : [bar(count, names.centrifugo, count < 1000 ? 1.05 : 0.95)]),
          bar(count, names.streams, 1.3)
        ]),
        barOfRedis(names.pubSub, 1.2),
        ...(centrifugoIs === undefined ? [] : [barOfRedis(names.centrifugo, 1.2)])
      ]),
      notes
    ],
    panels: counts.map(count => ({
      title: `CPU of both instances per delivery, µs, ${count} subscribers (less is better)`,
      bars: measured.map(name => ({
        ...{ name, value: median(results[count].get(name).us) },
        isOurs: name === names.ours
      }))
    }))
  })
}
