import { CentrifugoSession, centrifugoVersion, startCentrifugo } from '../lib/centrifugo.mjs'
import { openMany, WsSession } from '../lib/countersign.mjs'
import { interleave, keepInFlight, median, ratio } from '../lib/measure.mjs'
import { createCredential, startGateway, startPeer, startRedis, versionOf } from '../lib/processes.mjs'
import { RawSocket } from '../lib/raw-ws.mjs'
import { barHead, held, kib, log, table, us, write } from '../lib/report.mjs'

// Many sessions: the cost of an idle one, the effect of thousands on throughput, the cost of their heartbeats for Redis.

/** Memory of one more connection in bytes, measured after garbage collections. */
async function memoryOfEach(server, count, open) {
  // The first ones pay for code and tables that are there once.
  const first = await openMany(100, open)
  const before = await server.ask('collect')
  const opened = await openMany(count, open)
  // Lets timers of a second run, which free data of ended sessions.
  await new Promise(resolve => setTimeout(resolve, 1500))
  const after = await server.ask('collect')
  return {
    opened: [...first, ...opened],
    rss: (after.rss - before.rss) / count,
    heap: (after.heap - before.heap) / count
  }
}

async function compareMemory(count) {
  const [gateway, bare] = await Promise.all([startGateway(), startPeer('bare-ws')])
  const credential = await createCredential(gateway)
  const ours = await memoryOfEach(gateway, count, () => WsSession.open(gateway.url, credential))
  const theirs = await memoryOfEach(bare, count, () => RawSocket.connect(bare.url, '/'))
  for (const session of ours.opened) session.close()
  for (const socket of theirs.opened) socket.destroy()
  await Promise.all([gateway.stop(), bare.stop()])
  return { ours, theirs }
}

/** The same of Centrifugo, resident alone. */
async function memoryOfCentrifugo(count) {
  const server = await startCentrifugo()
  const { opened, rss } = await memoryOfEach(server, count, () => CentrifugoSession.open(server.url))
  for (const session of opened) session.close()
  await server.stop()
  return rss
}

/** Throughput of one server with many open connections. Each slice uses some of them. */
async function compareCounts([few, many], pace) {
  const [gateway, bare] = await Promise.all([startGateway(), startPeer('bare-ws')])
  const credential = await createCredential(gateway)
  const results = {}
  const sides = []
  let seq = 0
  const sessions = await openMany(many, () => WsSession.open(gateway.url, credential))
  const sockets = await openMany(many, () => RawSocket.connect(bare.url, '/'))
  const heartbeats = sessions.map(each => ({ socket: each.socket, next: () => each.text('heartbeat') }))
  const echoes = sockets.map(socket => ({ socket, next: () => `{"type":"heartbeat","seq":${++seq}}` }))
  for (const [kind, clients, server] of [
    ['countersign', heartbeats, gateway],
    ['ws', echoes, bare]
  ]) {
    for (const count of [few, many]) {
      const some = clients.slice(0, count)
      sides.push({ name: `${kind} ${count}`, run: ms => keepInFlight(some, 1, ms), cpuUs: server.cpuUs })
    }
  }
  Object.assign(results, { all: await interleave(sides, pace) })
  for (const session of sessions) session.close()
  for (const socket of sockets) socket.destroy()
  await Promise.all([gateway.stop(), bare.stop()])
  return results.all
}

/** Commands that a gateway sends to Redis while its sessions send heartbeats, and while they do not. */
async function countCommands(seconds) {
  const redis = await startRedis()
  const gateway = await startGateway({ redisUrl: redis.url })
  const credential = await createCredential(gateway)
  const sessions = await openMany(200, () => WsSession.open(gateway.url, credential))
  const clients = sessions.map(each => ({ socket: each.socket, next: () => each.text('heartbeat') }))
  await keepInFlight(clients, 1, seconds * 400)
  const busy = await redis.commandsDuring(() => keepInFlight(clients, 1, seconds * 1000))
  for (const session of sessions) session.close()
  await new Promise(resolve => setTimeout(resolve, 2500))
  const none = await redis.commandsDuring(() => new Promise(resolve => setTimeout(resolve, seconds * 1000)))
  await gateway.stop()
  await redis.stop()
  return { heartbeats: busy.result, busy: busy.counts, none: none.counts, version: redis.version }
}

/** Writes of an instance at once: scripts, and commands without one. */
const writes = counts => (counts.get('evalsha') ?? 0) + (counts.get('zadd') ?? 0)

const notes = `## What the figures consist of

Compared with a bare connection, the heap of a session also holds two keys, its peer, capabilities and channels, and the state of its handshake. The request that became the socket is released. Resident memory decides how many sessions fit on a machine; there, both sides pay the same for socket buffers.

The commands that remain once a second do not depend on the number of sessions or on what they send: one reaper script, one script with the deadlines and counts of sessions, one read of the audit log's head, and the liveness probe of the subscriber.`

export default async function run({ pace, out, quick }) {
  const [few, many, idle, seconds] = quick ? [50, 100, 100, 1] : [1000, 5000, 3000, 5]
  log(`  memory of ${idle} idle connections …`)
  const { ours, theirs } = await compareMemory(idle)
  const centrifugoIs = centrifugoVersion()
  const centrifugo = centrifugoIs === undefined ? undefined : await memoryOfCentrifugo(idle)
  log(`  ${few} and ${many} sessions, one in flight each …`)
  const results = await compareCounts([few, many], { ...pace, rounds: Math.min(pace.rounds, 5) })
  log('  Redis under heartbeats …')
  const redis = await countCommands(seconds)

  const perSecond = (counts, name) => ((counts.get(name) ?? 0) / seconds).toFixed(1)
  const commands = [...new Set([...redis.busy.keys(), ...redis.none.keys()])].sort()
  const memoryRatio = measure => ({ value: ours[measure] / theirs[measure] })
  // Sessions are many if a request of theirs costs no more: the throughput of a core is the inverse of its CPU.
  const throughput = kind => ratio(results, `${kind} ${few}`, `${kind} ${many}`)
  write({
    ...{ out, name: 'sessions', title: 'Many sessions on one instance' },
    intro:
      `Memory is the growth of the process for each of ${idle} idle connections, after a garbage collection. ` +
      'Throughput is per core: the server CPU of a request with few connections, divided by the same with many. ' +
      `Redis was watched with MONITOR for ${seconds} s, with 200 sessions that sent heartbeats as fast as they were ` +
      'answered, and with none.',
    versions: { ws: versionOf('ws'), Centrifugo: centrifugoIs ?? '(not on the PATH)', Redis: redis.version },
    sections: [
      table(
        ['idle', 'resident', 'heap and external'],
        [
          ['countersign, authenticated', kib(ours.rss), kib(ours.heap)],
          ['ws, connected', kib(theirs.rss), kib(theirs.heap)],
          ...(centrifugo === undefined ? [] : [['Centrifugo, connected', kib(centrifugo), '']])
        ]
      ),
      table(
        ['one in flight each', 'server CPU per request', 'per second of the clock'],
        [...results].map(([name, { us: costs, perSecond: rates }]) => [
          `${name} connections`,
          us(median(costs)),
          Math.round(median(rates)).toLocaleString('en')
        ])
      ),
      table(
        [
          'Redis, commands a second',
          `${Math.round(redis.heartbeats / seconds).toLocaleString('en')} heartbeats/s`,
          'no session'
        ],
        commands.map(name => [name, perSecond(redis.busy, name), perSecond(redis.none, name)])
      ),
      table(barHead, [
        held('resident memory of an idle session, to a `ws` connection', memoryRatio('rss'), { most: 1.25 }),
        ...(centrifugo === undefined
          ? []
          : [held('the same, to a session of Centrifugo', { value: ours.rss / centrifugo }, { most: 1 })]),
        held('heap and external, the same', memoryRatio('heap'), { most: 2 }),
        held(`throughput with ${many} sessions, to ${few}`, throughput('countersign'), { least: 0.85 }),
        held('(the same of `ws` alone)', throughput('ws'), { least: 0.85 }),
        held(
          'batched writes a second for all heartbeats of an instance',
          { value: (writes(redis.busy) - writes(redis.none)) / seconds },
          { most: 1.2 }
        )
      ]),
      notes
    ],
    panels: [
      {
        title: 'Resident memory of an idle connection, KiB (less is better)',
        bars: [
          { name: 'countersign, authenticated', value: ours.rss / 1024, isOurs: true },
          { name: 'ws, connected', value: theirs.rss / 1024, isOurs: false },
          ...(centrifugo === undefined
            ? []
            : [{ name: 'Centrifugo, connected', value: centrifugo / 1024, isOurs: false }])
        ]
      },
      {
        title: 'Server CPU per request, µs, one in flight on each connection',
        bars: [...results].map(([name, { us: costs }]) => ({
          ...{ name, value: median(costs) },
          isOurs: name.startsWith('countersign')
        }))
      }
    ]
  })
}
