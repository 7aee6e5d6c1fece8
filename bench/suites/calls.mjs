import { BridgeSession, openMany, WsSession } from '../lib/countersign.mjs'
import { interleave, keepAsking, median, quantile, ratio } from '../lib/measure.mjs'
import { createCredential, startGateway, startPeer, startRedis, versionOf } from '../lib/processes.mjs'
import { barHead, held, log, ms, table, us, write } from '../lib/report.mjs'
import { SocketIoSession } from '../lib/socket-io.mjs'

// A call to a session on another instance, and its answer, over Redis.

const names = {
  ws: 'countersign, ws → ws',
  bridge: 'countersign, ws → bridge (held poll)',
  socketIo: 'Socket.IO, emitWithAck over redis-adapter'
}
const data = '{"player":"Builderman","reason":"a bench"}'
const result = '{"ok":true,"players":12}'

/** Callers are on the first instance, receivers on the second. */
async function startCountersign() {
  const redis = await startRedis()
  const servers = [await startGateway({ redisUrl: redis.url }), await startGateway({ redisUrl: redis.url })]
  return { redis, servers, credential: await createCredential(servers[0]) }
}

function callerOf(session, sessionId) {
  const members = `,"to":{"sessionId":"${sessionId}"},"method":"kick","data":${data}`
  return { request: () => session.ask('call', members), close: () => session.close() }
}

const callIdOf = text => /"callId":"([^"]+)"/.exec(text)[1]
const isCall = text => text.startsWith('{"type":"call",')

async function wsPair({ servers, credential }) {
  const receiver = await WsSession.open(servers[1].url, credential)
  receiver.socket.onText = text => {
    if (!isCall(text)) return
    receiver.socket.send(receiver.text('callResult', `,"callId":"${callIdOf(text)}","data":${result}`))
  }
  const caller = callerOf(await WsSession.open(servers[0].url, credential), receiver.sessionId)
  return { ...caller, close: () => [caller, receiver].map(each => each.close()) }
}

async function bridgePair({ servers, credential }) {
  const receiver = await BridgeSession.open([servers[1].url], credential)
  let isOver = false
  async function serve() {
    for (let lines = []; !isOver; ) {
      const frames = await receiver.exchange(lines, 25)
      lines = frames
        .filter(isCall)
        .map(text => receiver.text('callResult', `,"callId":"${callIdOf(text)}","data":${result}`))
    }
  }
  serve().catch(error => {
    if (!isOver) throw error
  })
  const caller = callerOf(await WsSession.open(servers[0].url, credential), receiver.sessionId)
  const close = () => {
    isOver = true
    for (const each of [caller, receiver]) each.close()
  }
  return { ...caller, close }
}

async function socketIoPair({ servers }, i) {
  const receiver = await SocketIoSession.open(servers[1].url)
  await receiver.ask('serve', `"server-${i}"`)
  receiver.socket.onText = text => {
    const [, id] = /^42(\d+)\["call",/.exec(text) ?? []
    if (id !== undefined) receiver.socket.send(`43${id}[${result}]`)
  }
  const caller = await SocketIoSession.open(servers[0].url)
  const request = () => caller.ask('call', `{"to":"server-${i}","data":${data}}`)
  return { request, close: () => [caller, receiver].map(each => each.close()) }
}

async function startSide(name, pairs) {
  let side
  if (name === names.socketIo) {
    const redis = await startRedis()
    const env = { ADAPTER: 'pubsub', REDIS_URL: redis.url }
    side = { redis, servers: [await startPeer('socket-io', env), await startPeer('socket-io', env)] }
  } else side = await startCountersign()
  const open = { [names.ws]: wsPair, [names.bridge]: bridgePair, [names.socketIo]: socketIoPair }[name]
  // Instances hear of each other once a second.
  await new Promise(resolve => setTimeout(resolve, 2000))
  const clients = await openMany(pairs, i => open(side, i))
  const latencies = []
  const timed = clients.map(({ request }) => ({
    async request() {
      const since = performance.now()
      await request()
      latencies.push(performance.now() - since)
    }
  }))
  return {
    name,
    ...side,
    latencies,
    run: sliceMs => keepAsking(timed, sliceMs),
    async cpuUs() {
      const used = await Promise.all(side.servers.map(server => server.cpuUs()))
      return used.reduce((sum, each) => sum + each, 0)
    },
    async stop() {
      for (const client of clients) client.close()
      await Promise.all(side.servers.map(server => server.stop()))
      await side.redis.stop()
    }
  }
}

export default async function run({ pace, out, quick }) {
  const pairCounts = quick ? [1] : [1, 20]
  const results = {}
  const latencies = {}
  let version = ''
  for (const pairs of pairCounts) {
    log(`  ${pairs} calls at once, over two instances …`)
    const sides = []
    for (const name of Object.values(names)) sides.push(await startSide(name, pairs))
    results[pairs] = await interleave(sides, pace)
    latencies[pairs] = new Map(sides.map(side => [side.name, side.latencies]))
    version = sides[0].redis.version
    for (const side of sides) await side.stop()
  }
  const row = name => [
    name,
    ...pairCounts.flatMap(pairs => {
      const taken = latencies[pairs].get(name)
      const cpu = us(median(results[pairs].get(name).us))
      return [cpu, `${ms(quantile(taken, 0.5))}, ${ms(quantile(taken, 0.99))}`]
    })
  ]
  const [alone] = pairCounts
  const bridgeMs = quantile(latencies[alone].get(names.bridge), 0.5)
  write({
    ...{ out, name: 'calls', title: 'A call to a session on another instance' },
    intro:
      'Callers are on one instance, receivers on another; each caller has one call open. CPU is the sum of both ' +
      'instances, per call and its answer. Latency is measured at the caller. Countersign signs and verifies four ' +
      'frames, checks a permission, keeps the call in Redis under its id, and reports an unknown outcome as such.',
    versions: {
      'Socket.IO': versionOf('socket.io'),
      'redis-adapter': versionOf('@socket.io/redis-adapter'),
      Redis: version
    },
    sections: [
      table(
        ['', ...pairCounts.flatMap(pairs => [`${pairs} at once: CPU per call`, 'p50, p99'])],
        Object.values(names).map(row)
      ),
      table(barHead, [
        ...pairCounts.map(pairs =>
          held(
            `ws → ws, ${pairs} at once, CPU per call, to Socket.IO`,
            ratio(results[pairs], names.ws, names.socketIo),
            {
              most: 2
            }
          )
        ),
        held('ws → bridge → ws, one at a time, p50 in ms', { value: bridgeMs }, { most: 15 })
      ])
    ],
    panels: pairCounts.map(pairs => ({
      title: `CPU of both instances per call, µs, ${pairs} at once (less is better)`,
      bars: Object.values(names).map(name => ({
        ...{ name, value: median(results[pairs].get(name).us) },
        isOurs: name !== names.socketIo
      }))
    }))
  })
}
