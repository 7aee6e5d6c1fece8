import { signText } from '../../dist/protocol/frame.js'
import { createNodeMac } from '../../dist/protocol/mac-node.js'
import { BridgeSession, openMany, WsSession } from '../lib/countersign.mjs'
import { publication } from '../lib/fan.mjs'
import { interleave, keepAsking, median, quantile, ratio } from '../lib/measure.mjs'
import { createCredential, startGateway, startPeer, startRedis, versionOf } from '../lib/processes.mjs'
import { RawHttp } from '../lib/raw-http.mjs'
import { barHead, held, kib, log, ms, table, us, write } from '../lib/report.mjs'
import { SocketIoPolling } from '../lib/socket-io.mjs'

// The HTTP long poll: what an exchange costs, what held polls cost, what Redis is asked.

const names = {
  ours: 'countersign, exchange with one heartbeat',
  empty: 'countersign, exchange without a message',
  publishes: 'countersign, exchange with two publishes',
  bare: 'Fastify, POST',
  signed: 'sketch: Fastify, POST, 4 signatures',
  signedAndKept: 'sketch: the same, and the commands of an exchange in one script',
  socketIo: 'Socket.IO polling, POST and GET'
}

/** A client of the sketch, whose frames are those of a session. */
function sketchOf(url, id = 0) {
  const connection = new RawHttp(url)
  const mac = createNodeMac(Buffer.alloc(32, 1))
  const path = `/v1/bridge/sessions/${`${id}`.padStart(32, 's')}/exchange`
  let seq = 1
  const frames = () => [
    signText(mac, `{"type":"heartbeat","seq":${++seq}}`),
    signText(mac, `{"type":"poll","poll":${seq},"ack":${seq},"wait":0}`)
  ]
  return { request: () => connection.ask('POST', path, frames().join('\n')), destroy: () => connection.destroy() }
}

async function compareExchanges(pace) {
  const peers = 50
  const [gateway, fastify, signed, socketIo] = await Promise.all([
    startGateway(),
    startPeer('bare-fastify'),
    startPeer('signed-fastify'),
    startPeer('socket-io')
  ])
  const credential = await createCredential(gateway)
  const sessions = await openMany(peers, () => BridgeSession.open([gateway.url], credential))
  const connections = await openMany(peers, async () => new RawHttp(fastify.url))
  const sketches = await openMany(peers, async () => sketchOf(signed.url))
  const others = await openMany(peers, () => SocketIoPolling.open(socketIo.url))
  const body = '{"type":"heartbeat","seq":12345}'
  const side = (name, requests, server) => ({
    name,
    run: sliceMs => keepAsking(requests, sliceMs),
    cpuUs: server.cpuUs
  })
  const results = await interleave(
    [
      side(
        names.ours,
        sessions.map(each => ({ request: () => each.exchange([each.text('heartbeat')]) })),
        gateway
      ),
      side(
        names.bare,
        connections.map(each => ({ request: () => each.ask('POST', '/echo', body) })),
        fastify
      ),
      side(names.signed, sketches, signed),
      side(
        names.socketIo,
        others.map(each => ({ request: () => each.request('heartbeat', body) })),
        socketIo
      ),
      side(
        names.empty,
        sessions.map(each => ({ request: () => each.exchange() })),
        gateway
      )
    ],
    pace
  )
  for (const each of [...sessions, ...others]) each.close()
  for (const each of [...connections, ...sketches]) each.destroy()
  await Promise.all([gateway, fastify, signed, socketIo].map(each => each.stop()))
  return results
}

/** Exchanges over Redis, beside what is left of them without a rule. CPU of the server and of its Redis. */
async function compareOverRedis(pace) {
  const peers = 50
  const stores = await Promise.all([startRedis(), startRedis()])
  const gateway = await startGateway({ redisUrl: stores[0].url })
  const sketch = await startPeer('signed-fastify', { REDIS_URL: stores[1].url })
  const credential = await createCredential(gateway)
  const sessions = await openMany(peers, () => BridgeSession.open([gateway.url], credential))
  const sketches = await openMany(peers, async i => sketchOf(sketch.url, i))
  const side = (name, requests, server, redis) => ({
    name,
    run: sliceMs => keepAsking(requests, sliceMs),
    cpuUs: async () => (await server.cpuUs()) + (await redis.cpuUs())
  })
  const beats = sessions.map(each => ({ request: () => each.exchange([each.text('heartbeat')]) }))
  const publishes = sessions.map(each => {
    const text = () => each.text('publish', `,"channel":"bench:bridge","data":${publication}`)
    return { request: () => each.exchange([text(), text()]) }
  })
  const results = await interleave(
    [
      side(names.ours, beats, gateway, stores[0]),
      side(names.signedAndKept, sketches, sketch, stores[1]),
      side(names.publishes, publishes, gateway, stores[0])
    ],
    pace
  )
  for (const each of sessions) each.close()
  for (const each of sketches) each.destroy()
  await Promise.all([gateway, sketch, ...stores].map(each => each.stop()))
  return results
}

/** Sessions that each hold a poll until a publication on a channel of all of them. */
async function holdPolls(count, idleMs) {
  const gateway = await startGateway()
  const credential = await createCredential(gateway)
  // Code and tables loaded once do not count for these sessions.
  const first = await openMany(50, () => BridgeSession.open([gateway.url], credential))
  for (const each of first) await each.exchange([each.text('heartbeat')])
  const publisher = await WsSession.open(gateway.url, credential)
  const empty = await gateway.ask('collect')

  const sessions = await openMany(count, () => BridgeSession.open([gateway.url], credential))
  await openMany(count, i => sessions[i].exchange([sessions[i].text('subscribe', ',"channel":"bench:wake"')]))
  await gateway.ask('collect')
  const opened = await gateway.ask('collect')

  let sentAt = 0
  const latencies = []
  const hold = () =>
    Promise.all(
      sessions.map(async each => {
        const frames = await each.exchange([], 25)
        if (frames.length === 0) throw new Error('a poll came back empty')
        latencies.push(performance.now() - sentAt)
      })
    )
  const rounds = []
  let heldMemory
  let idle = 0
  for (let round = 0; round < 3; round++) {
    latencies.length = 0
    const woken = hold()
    // All have arrived once the server has nothing more to do for them.
    await quiet(gateway)
    heldMemory ??= await gateway.ask('collect')
    if (round === 0) {
      const before = await gateway.cpuUs()
      await new Promise(resolve => setTimeout(resolve, idleMs))
      idle = ((await gateway.cpuUs()) - before) / idleMs
    }
    const before = await gateway.cpuUs()
    sentAt = performance.now()
    await publisher.ask('publish', `,"channel":"bench:wake","data":${publication}`)
    await woken
    const cpuUs = ((await gateway.cpuUs()) - before) / count
    rounds.push({ cpuUs, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) })
  }
  for (const each of [...sessions, ...first, publisher]) each.close()
  await gateway.stop()
  return {
    session: (opened.rss - empty.rss) / count,
    held: (heldMemory.rss - opened.rss) / count,
    // Milliseconds of CPU in a second.
    idle,
    cpuUs: median(rounds.map(each => each.cpuUs)),
    p50: median(rounds.map(each => each.p50)),
    p99: median(rounds.map(each => each.p99))
  }
}

/** Waits until a process is idle. */
async function quiet(server) {
  const sampleEveryMs = 200
  for (let before = await server.cpuUs(); ; ) {
    await new Promise(resolve => setTimeout(resolve, sampleEveryMs))
    const now = await server.cpuUs()
    if (now - before < sampleEveryMs * 1000 * 0.1) return
    before = now
  }
}

/** Polls of a whole second each: not too many of them. */
const idleHolds = times => Math.ceil(times / 4)

/** Redis commands of one exchange of each kind. */
async function countCommands(times) {
  const redis = await startRedis()
  const gateway = await startGateway({ redisUrl: redis.url })
  const credential = await createCredential(gateway)
  const session = await BridgeSession.open([gateway.url], credential)
  const publisher = await WsSession.open(gateway.url, credential)
  await session.exchange([session.text('subscribe', ',"channel":"bench:wake"')])
  // An answer is acknowledged by the next exchange: none is open when it begins.
  const repeat = work =>
    redis.commandsDuring(async () => {
      for (let i = 0; i < times; i++) await work()
    })
  for (let i = 0; i < 3; i++) await session.exchange()
  const kinds = new Map()
  kinds.set('no message', await repeat(() => session.exchange()))
  kinds.set('one heartbeat', await repeat(() => session.exchange([session.text('heartbeat')])))
  const many = () => Array.from({ length: 10 }, () => session.text('heartbeat'))
  kinds.set('ten heartbeats', await repeat(() => session.exchange(many())))
  await session.exchange()
  // A poll that is held for a second without a publication.
  kinds.set(
    'held for 1 s, no publication',
    await redis.commandsDuring(async () => {
      for (let i = 0; i < idleHolds(times); i++) await session.exchange([], 1)
    })
  )
  kinds.set(
    'held, then a publication',
    await repeat(async () => {
      const woken = session.exchange([], 25)
      await new Promise(resolve => setTimeout(resolve, 20))
      await publisher.ask('publish', ',"channel":"bench:wake","data":1')
      await woken
    })
  )
  session.close()
  publisher.close()
  await gateway.stop()
  await redis.stop()
  // Periodic commands that do not depend on polls are not counted: heartbeats, reaping, change events.
  const scripts = new Map(
    [...kinds].map(([kind, { counts }]) => {
      const repeats = kind.startsWith('held for') ? idleHolds(times) : times
      return [kind, [...counts].map(([command, count]) => [command, count / repeats])]
    })
  )
  return { scripts, version: redis.version }
}

/** Sessions that use one instance, beside sessions that use two in turn. */
async function compareRoaming(pace) {
  const redis = await startRedis()
  const gateways = [await startGateway({ redisUrl: redis.url }), await startGateway({ redisUrl: redis.url })]
  const urls = gateways.map(({ url }) => url)
  const credential = await createCredential(gateways[0])
  const staying = await openMany(20, i => BridgeSession.open([urls[i % 2]], credential))
  const moving = await openMany(20, i => BridgeSession.open(i % 2 === 0 ? urls : [...urls].reverse(), credential))
  const cpuUs = async () => {
    const used = await Promise.all([...gateways.map(each => each.cpuUs()), redis.cpuUs()])
    return used.reduce((sum, each) => sum + each, 0)
  }
  const side = (name, sessions) => ({
    ...{ name, cpuUs },
    run: sliceMs =>
      keepAsking(
        sessions.map(each => ({ request: () => each.exchange([each.text('heartbeat')]) })),
        sliceMs
      )
  })
  const results = await interleave([side('stays', staying), side('moves', moving)], pace)
  for (const each of [...staying, ...moving]) each.close()
  await Promise.all(gateways.map(each => each.stop()))
  await redis.stop()
  return results
}

const notes = `## What the figures consist of

The sketch is what no exchange can do without: a POST in Fastify, two frames verified and decoded, two signed. It keeps nothing, and costs 1.5 to 2.4 POSTs, since the caches of the processor weigh more or less from hour to hour. Socket.IO's POST and GET cost 2.4 to 3.7. What the sketch does not do: the session's lookup, the rate limit, the handler, the step that accepts the message and keeps its answer until it is acknowledged, the rules for requests and sockets.

Of a profile of an exchange with one heartbeat (embedded store, warm, a busy machine), a fifth is the write to the socket, a fifth the frames (parsing and encoding 13 %, SHA-256 6 %), a quarter node:http, streams and Fastify, 14 % the bridge, 4 % the rules for requests and sockets, 2 to 5 % the store, 2 to 7 % the garbage collector. None of the forty functions of the bridge has more than 1 %.

Improvements, with their effect on an exchange with one heartbeat, in one run with the build before them: the steps of an exchange run in one turn where the store answers at once, without a timer and a listener for each wait (0.81); batches make what few messages need when one asks for it, and bodies have one content type, because Fastify parses an absent one for each request (together 0.69 to 0.74). A batch of heartbeats alone is accepted and answered in one step of the store (0.94).

Over Redis, each to the CPU of the gateway and Redis in the build before it: an exchange returns the whole session only if another instance has changed it, and nonces are drawn many at a time (0.86 to 0.90); an exchange with heartbeats alone is one script in place of a claim and a commit (0.73 to 0.8); exchanges of one turn share a script, so that Redis reads INFO once and the gateway writes one command (0.84 with 50 in flight, 1 with one in flight). The sketch over Redis runs the commands of an exchange in one script of its own, without a rule and without sharing it.

The latency of a waking poll includes the 50 ms linger. With thousands of polls woken at once, most of the latency is the writing of their answers, one after the other, and, on this machine, the load generator's reading of them.`

/** HTTP takes more code than a frame: some thousand requests go by before all of it is compiled. */
const warmTimes = 4

export default async function run({ pace: shortPace, out, quick }) {
  const pace = quick ? shortPace : { ...shortPace, warmMs: warmTimes * shortPace.warmMs }
  log('  exchanges …')
  const exchanges = await compareExchanges(pace)
  const polls = new Map()
  const counts = quick ? [50] : [1000, 5000]
  for (const count of counts) {
    log(`  ${count} held polls …`)
    polls.set(count, await holdPolls(count, quick ? 500 : 5000))
  }
  log('  Redis …')
  const redis = await countCommands(quick ? 5 : 20)
  log('  exchanges over Redis …')
  const overRedis = await compareOverRedis(pace)
  log('  moving between instances …')
  const roaming = await compareRoaming(pace)

  write({
    ...{ out, name: 'bridge', title: 'The bridge: HTTP long polls' },
    intro:
      'An exchange is one POST: a signed heartbeat and a signed poll up, a signed answer and a signed `polled` ' +
      'down. The gateway accepts the heartbeat, and keeps its answer until it is acknowledged. ' +
      'There are 50 clients with one request in flight each, over persistent connections, with the embedded store. ' +
      'Fastify echoes JSON; Socket.IO takes an event by POST and acknowledges it in the answer of a GET. A held ' +
      'poll wakes 50 ms after a publication (`COUNTERSIGN_LINGER_MS`), and its latency includes that.',
    versions: { Fastify: versionOf('fastify'), 'Socket.IO': versionOf('socket.io'), Redis: redis.version },
    sections: [
      table(
        ['', 'server CPU', 'per second of the clock'],
        [...exchanges].map(([name, { us: costs, perSecond }]) => [
          name,
          us(median(costs)),
          Math.round(median(perSecond)).toLocaleString('en')
        ])
      ),
      table(
        ['held polls', 'resident per session', 'plus its held poll', 'CPU while idle', 'CPU per wake-up', 'p50, p99'],
        [...polls].map(([count, poll]) => [
          count.toLocaleString('en'),
          kib(poll.session),
          kib(poll.held),
          `${poll.idle.toFixed(1)} ms a second`,
          us(poll.cpuUs),
          `${ms(poll.p50)}, ${ms(poll.p99)}`
        ])
      ),
      table(
        ['an exchange over Redis', 'commands (counted with MONITOR)'],
        [...redis.scripts].map(([kind, commands]) => [
          kind,
          commands
            .filter(([command, count]) => !command.startsWith('script:') && count >= 0.5)
            .map(([command, count]) => `${command} ${count.toFixed(1)}`)
            .join(', ')
        ])
      ),
      table(
        ['an exchange over Redis', 'CPU of the server and of Redis'],
        [...overRedis].map(([name, { us: costs }]) => [name, us(median(costs))])
      ),
      table(
        ['over two instances and Redis', 'CPU of both and of Redis'],
        [...roaming].map(([name, { us: costs }]) => [`a session that ${name}`, us(median(costs))])
      ),
      table(barHead, [
        held('an exchange with one heartbeat, to a Fastify POST', ratio(exchanges, names.ours, names.bare), {
          most: 2.2
        }),
        held('the same, to Socket.IO polling', ratio(exchanges, names.ours, names.socketIo), { most: 0.8 }),
        held('an exchange over Redis, to the sketch of it', ratio(overRedis, names.ours, names.signedAndKept), {
          most: 1.5
        }),
        held('a session that moves at each request, to one that stays', ratio(roaming, 'moves', 'stays'), { most: 1.2 })
      ]),
      notes
    ],
    panels: [
      {
        title: 'Server CPU per request and reply, µs (less is better)',
        bars: [...exchanges].map(([name, { us: costs }]) => ({
          ...{ name, value: median(costs) },
          isOurs: name.startsWith('countersign')
        }))
      },
      {
        title: 'From a publication to the waking of held polls, ms',
        bars: [...polls].flatMap(([count, { p50, p99 }]) => [
          { name: `${count} polls, p50`, value: p50, isOurs: true },
          { name: `${count} polls, p99`, value: p99, isOurs: true }
        ])
      }
    ]
  })
}
