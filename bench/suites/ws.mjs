import { signText } from '../../dist/protocol/frame.js'
import { createNodeMac } from '../../dist/protocol/mac-node.js'
import { CentrifugoSession, centrifugoVersion, startCentrifugo } from '../lib/centrifugo.mjs'
import { openMany, WsSession } from '../lib/countersign.mjs'
import { interleave, keepInFlight, median, ratio } from '../lib/measure.mjs'
import { createCredential, startGateway, startPeer, versionOf } from '../lib/processes.mjs'
import { RawSocket } from '../lib/raw-ws.mjs'
import { barHead, held, log, table, us, write } from '../lib/report.mjs'
import { SocketIoSession } from '../lib/socket-io.mjs'

// A signed request and its signed reply on one socket, beside an echo that signs nothing and an acknowledgement.

const sockets = 50
const names = {
  heartbeat: 'countersign, heartbeat',
  publish: 'countersign, publish',
  bare: 'ws, echo',
  sketch: 'sketch: ws, verifies and signs',
  publishSketch: 'sketch: the same, a publish that is kept',
  socketIo: 'Socket.IO, ack',
  centrifugo: 'Centrifugo, publish'
}

const notes = `## What the figures consist of

With 20 requests in flight, the replies of one tick leave in one write, which outweighs the signatures: a request costs less than in the sketch, which verifies, decodes, encodes and signs with \`ws\` and does nothing else. With one in flight, each reply is a write of its own, and most of the time of every side is spent in the kernel. A request and its reply have two HMACs, four calls of \`crypto.hash\` of 0.5 to 0.7 µs each, half of which is call overhead, and frames that are 78 bytes longer.

Improvements made: the frames of one tick as one text that bypasses the sender of \`ws\`, counters that prom-client reads only on a scrape, one copy of an answer less, the clock read once a turn, a signature's form examined only if it is wrong. Not found: an HMAC for short texts that is faster than \`crypto.hash\` (\`createHmac\` costs twice as much, a \`buffer\` digest three times). Not worth its lines: an encoder for flat replies, which saves a third of their encoding.

\`publish\` is more than an echo: it parses and encodes \`data\` (a tenth), checks permissions and quotas, and appends to the channel's history within its bounds. The channel is looked up once, and quotas are charged without closures: 0.81 of before with 20 in flight, 0.65 with one.`

export default async function run({ pace, out }) {
  const [gateway, bare, signed, socketIo] = await Promise.all([
    startGateway(),
    ...['bare-ws', 'signed-ws', 'socket-io'].map(peer => startPeer(peer))
  ])
  const centrifugoIs = centrifugoVersion()
  const centrifugo = centrifugoIs === undefined ? undefined : await startCentrifugo()
  const credential = await createCredential(gateway)
  const sessions = await openMany(sockets, () => WsSession.open(gateway.url, credential))
  const plain = await openMany(sockets, () => RawSocket.connect(bare.url, '/'))
  const signing = await openMany(sockets, () => RawSocket.connect(signed.url, '/'))
  const others = await openMany(sockets, () => SocketIoSession.open(socketIo.url))
  const further = centrifugo ? await openMany(sockets, () => CentrifugoSession.open(centrifugo.url)) : []

  const data = '"channel":"bench:quiet","data":{"text":"sixteen letters!","n":1}'
  let seq = 0
  const heartbeats = sessions.map(each => ({ socket: each.socket, next: () => each.text('heartbeat') }))
  const publishes = sessions.map(each => ({ socket: each.socket, next: () => each.text('publish', `,${data}`) }))
  const echoes = plain.map(socket => ({ socket, next: () => `{"type":"heartbeat","seq":${++seq}}` }))
  const mac = createNodeMac(Buffer.alloc(32, 1))
  const sketches = signing.map(socket => ({
    socket,
    next: () => signText(mac, `{"type":"heartbeat","seq":${++seq}}`)
  }))
  const keptSketches = signing.map(socket => ({
    socket,
    next: () => signText(mac, `{"type":"publish","seq":${++seq},${data}}`)
  }))
  const acks = others.map(each => ({
    socket: each.socket,
    next: () => each.text('heartbeat', `{"type":"heartbeat","seq":${++seq}}`)
  }))

  const pushes = further.map(each => ({
    socket: each.socket,
    next: () => each.text('"publish":{"channel":"quiet","data":{"text":"sixteen letters!","n":1}}')
  }))

  const results = {}
  for (const inFlight of [20, 1]) {
    log(`  ${inFlight} in flight on each of ${sockets} sockets …`)
    const side = (name, clients, server) => ({
      name,
      run: ms => keepInFlight(clients, inFlight, ms),
      cpuUs: server.cpuUs
    })
    results[inFlight] = await interleave(
      [
        side(names.heartbeat, heartbeats, gateway),
        side(names.bare, echoes, bare),
        side(names.sketch, sketches, signed),
        side(names.socketIo, acks, socketIo),
        side(names.publish, publishes, gateway),
        side(names.publishSketch, keptSketches, signed),
        ...(centrifugo ? [side(names.centrifugo, pushes, centrifugo)] : [])
      ],
      pace
    )
  }
  for (const each of [...sessions, ...others, ...further]) each.close()
  for (const each of [...plain, ...signing]) each.destroy()
  await Promise.all([gateway, bare, signed, socketIo, centrifugo].map(each => each?.stop()))

  const measured = Object.values(names).filter(name => results[1].has(name))
  const row = name => [
    name,
    ...[20, 1].flatMap(inFlight => {
      const { us: costs, perSecond } = results[inFlight].get(name)
      return [us(median(costs)), `${Math.round(median(perSecond)).toLocaleString('en')}`]
    })
  ]
  const bar = (inFlight, name, base, most) =>
    held(`${name}, to ${base}, ${inFlight} in flight`, ratio(results[inFlight], name, base), { most })
  write({
    ...{ out, name: 'ws', title: 'A signed request and reply over WebSocket' },
    intro:
      'Server CPU of one request and its reply (`process.cpuUsage` of the server), on 50 sockets. Countersign ' +
      'verifies each request and signs each reply (HMAC-SHA256); the others sign nothing. A `heartbeat` is ' +
      'answered at once; a `publish` also goes through the channel broker and the embedded store.',
    versions: {
      ws: versionOf('ws'),
      'Socket.IO': versionOf('socket.io'),
      Centrifugo: centrifugoIs ?? '(not on the PATH)'
    },
    sections: [
      table(
        ['', '20 in flight: CPU', 'per second, one core or less', '1 in flight: CPU', 'per second'],
        measured.map(row)
      ),
      table(barHead, [
        bar(20, names.heartbeat, names.bare, 1.25),
        bar(20, names.heartbeat, names.socketIo, 0.6),
        bar(1, names.heartbeat, names.bare, 1.6),
        bar(1, names.heartbeat, names.socketIo, 0.95),
        bar(20, names.heartbeat, names.sketch, 1),
        bar(1, names.heartbeat, names.sketch, 1.1),
        bar(20, names.publish, names.socketIo, 0.85),
        bar(1, names.publish, names.socketIo, 1.15),
        bar(20, names.publish, names.publishSketch, 1),
        bar(1, names.publish, names.publishSketch, 1.2),
        ...(centrifugo
          ? [bar(20, names.publish, names.centrifugo, 1.6), bar(1, names.publish, names.centrifugo, 1.15)]
          : [])
      ]),
      notes
    ],
    panels: [20, 1].map(inFlight => ({
      title: `Server CPU per request and reply, µs, ${inFlight} in flight (less is better)`,
      bars: measured.map(name => ({
        ...{ name, value: median(results[inFlight].get(name).us) },
        isOurs: name.startsWith('countersign')
      }))
    }))
  })
}
