import { CentrifugoSession, centrifugoVersion, startCentrifugo } from '../lib/centrifugo.mjs'
import { openMany, WsSession } from '../lib/countersign.mjs'
import { Fan, publication } from '../lib/fan.mjs'
import { interleave, median, ratio } from '../lib/measure.mjs'
import { createCredential, startGateway, startPeer, versionOf } from '../lib/processes.mjs'
import { RawSocket } from '../lib/raw-ws.mjs'
import { barHead, held, log, ms, table, us, write } from '../lib/report.mjs'
import { SocketIoSession } from '../lib/socket-io.mjs'

// One publication to many sockets of one instance.

const names = {
  ours: 'countersign',
  socketIo: 'Socket.IO, unsigned',
  centrifugo: 'Centrifugo, unsigned',
  sketch: 'sketch: a text, its HMAC, a write',
  signing: 'ws, signs each (createHmac)',
  signingOurs: 'ws, signs each (our HMAC)'
}

const notes = `## What the figures consist of

Socket.IO writes the same bytes to every socket. A signed delivery has its own \`seq\`, and therefore its own text and its own HMAC over the whole frame. The part that all deliveries share (channel, offset, data) is encoded once; each frame is written to the socket in one chunk.`

export default async function run({ pace, out, quick }) {
  const results = {}
  const latencies = {}
  const counts = quick ? [20, 50] : [200, 2000]
  const centrifugoIs = centrifugoVersion()
  for (const count of counts) {
    log(`  ${count} subscribers …`)
    const [gateway, bare, socketIo] = await Promise.all([startGateway(), startPeer('bare-ws'), startPeer('socket-io')])
    const credential = await createCredential(gateway)
    const sessions = await openMany(count + 1, () => WsSession.open(gateway.url, credential))
    const publisher = sessions.pop()
    await Promise.all(sessions.map(each => each.ask('subscribe', ',"channel":"bench:fan"')))
    const ours = new Fan(
      sessions.map(each => each.socket),
      () => publisher.socket.send(publisher.text('publish', `,"channel":"bench:fan","data":${publication}`)),
      text => text.startsWith('{"type":"publication"')
    )
    publisher.socket.onText = () => {}

    const others = await openMany(count + 1, () => SocketIoSession.open(socketIo.url))
    const other = others.pop()
    await Promise.all(others.map(each => each.ask('subscribe', '{}')))
    const theirs = new Fan(
      others.map(each => each.socket),
      () => other.socket.send(`42["publish",${publication}]`),
      text => text.startsWith('42["publication"')
    )

    const centrifugo = centrifugoIs === undefined ? undefined : await startCentrifugo()
    const further = centrifugo ? await openMany(count + 1, () => CentrifugoSession.open(centrifugo.url)) : []
    const another = further.pop()
    await Promise.all(further.map(each => each.ask('"subscribe":{"channel":"fan"}')))
    if (another !== undefined) another.socket.onText = () => {}
    const last = new Fan(
      further.map(each => each.socket),
      () => another.socket.send(another.text(`"publish":{"channel":"fan","data":${publication}}`)),
      text => text.startsWith('{"push"')
    )

    const plain = await openMany(count + 1, () => RawSocket.connect(bare.url, '/'))
    const plainPublisher = plain.pop()
    for (const socket of plain) socket.send('{"type":"subscribe"}')
    const signs = type =>
      new Fan(
        plain,
        () => plainPublisher.send(`{"type":"${type}","data":${publication}}`),
        text => text.startsWith('{"type":"publication"')
      )
    // Both use the same sockets: the listener is set again for each slice.
    const signing = type => ms => {
      const fan = signs(type)
      return fan.run(ms)
    }
    results[count] = await interleave(
      [
        { name: names.ours, run: ms => ours.run(ms), cpuUs: gateway.cpuUs },
        { name: names.socketIo, run: ms => theirs.run(ms), cpuUs: socketIo.cpuUs },
        ...(centrifugo ? [{ name: names.centrifugo, run: ms => last.run(ms), cpuUs: centrifugo.cpuUs }] : []),
        { name: names.sketch, run: signing('publishSketch'), cpuUs: bare.cpuUs },
        { name: names.signing, run: signing('publish'), cpuUs: bare.cpuUs },
        { name: names.signingOurs, run: signing('publishWithOurMac'), cpuUs: bare.cpuUs }
      ],
      pace
    )
    latencies[count] = new Map([
      [names.ours, ours.drainLatencies()],
      [names.socketIo, theirs.drainLatencies()],
      ...(centrifugo ? [[names.centrifugo, last.drainLatencies()]] : [])
    ])
    for (const each of [...sessions, publisher, ...others, other, ...further, another]) each?.close()
    for (const each of [...plain, plainPublisher]) each.destroy()
    await Promise.all([gateway, bare, socketIo, centrifugo].map(each => each?.stop()))
  }

  const measured = Object.values(names).filter(name => results[counts[0]].has(name))
  const row = name => [
    name,
    ...counts.flatMap(count => {
      const latency = latencies[count].get(name)
      const shown = latency === undefined ? '' : `${ms(latency.p50)}, ${ms(latency.p99)}`
      return [us(median(results[count].get(name).us)), shown]
    })
  ]
  const bar = (count, base, most) =>
    held(`${count} subscribers, per delivery, to ${base}`, ratio(results[count], names.ours, base), { most })
  write({
    ...{ out, name: 'fanout', title: 'A publication to many sockets' },
    intro:
      'Server CPU per delivery. Publications have about a hundred bytes; the next one is sent when every ' +
      'subscriber has received the last. Countersign numbers and signs each delivery separately, keeps a history ' +
      'and tracks positions; Socket.IO encodes once and sends the same bytes to all; `ws` numbers, encodes and ' +
      'signs each delivery and keeps nothing.',
    versions: {
      ws: versionOf('ws'),
      'Socket.IO': versionOf('socket.io'),
      Centrifugo: centrifugoIs ?? '(not on the PATH)'
    },
    sections: [
      table(
        ['', ...counts.flatMap(count => [`${count}: CPU per delivery`, 'p50, p99 of delivery'])],
        measured.map(row)
      ),
      table(
        barHead,
        counts.flatMap(count => [
          bar(count, names.socketIo, count < 1000 ? 1 : 0.95),
          ...(centrifugoIs === undefined ? [] : [bar(count, names.centrifugo, count < 1000 ? 1 : 0.95)]),
          bar(count, names.signing, 1),
          bar(count, names.signingOurs, 1)
        ])
      ),
      notes
    ],
    panels: counts.map(count => ({
      title: `Server CPU per delivery, µs, ${count} subscribers (less is better)`,
      bars: measured.map(name => ({
        ...{ name, value: median(results[count].get(name).us) },
        isOurs: name === names.ours
      }))
    }))
  })
}
