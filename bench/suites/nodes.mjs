import { join } from 'node:path'
import { installNode, nodeVersions } from '../../scripts/node-versions.mjs'
import { CentrifugoSession, centrifugoVersion, startCentrifugo } from '../lib/centrifugo.mjs'
import { openMany, WsSession } from '../lib/countersign.mjs'
import { Fan, publication } from '../lib/fan.mjs'
import { interleave, keepInFlight, median, ratio } from '../lib/measure.mjs'
import { createCredential, startGateway } from '../lib/processes.mjs'
import { barHead, held, log, table, us, write } from '../lib/report.mjs'

// The same gateway on every supported version of Node, in one run.

const [sockets, inFlight] = [50, 20]
const data = '{"text":"sixteen letters!","n":1}'
const peer = 'Centrifugo'
const recommended = 'Node 24'
const operations = {
  heartbeat: `heartbeat, ${inFlight} in flight`,
  publish: `publish, ${inFlight} in flight`,
  one: 'publish, 1 in flight',
  delivery: 'delivery to 200'
}

/** @returns the binaries that npm could install, by version */
function install() {
  return Object.values(nodeVersions).flatMap(version => {
    try {
      return [[version, join(installNode(version), 'node')]]
    } catch (error) {
      log(`  without Node ${version}: ${error.message}`)
      return []
    }
  })
}

async function onNode([version, node], subscribers) {
  const gateway = await startGateway({ node })
  const credential = await createCredential(gateway)
  const sessions = await openMany(sockets, () => WsSession.open(gateway.url, credential))
  const members = channel => `,"channel":"${channel}","data":${channel === 'bench:fan' ? publication : data}`
  const clients = (type, more) => sessions.map(each => ({ socket: each.socket, next: () => each.text(type, more) }))
  const listeners = await openMany(subscribers, () => WsSession.open(gateway.url, credential))
  await Promise.all(listeners.map(each => each.ask('subscribe', ',"channel":"bench:fan"')))
  const publisher = await WsSession.open(gateway.url, credential)
  publisher.socket.onText = () => {}
  return {
    ...{ name: `Node ${version.split('.')[0]}`, server: gateway, sessions: [...sessions, ...listeners, publisher] },
    heartbeats: clients('heartbeat'),
    publishes: clients('publish', members('bench:quiet')),
    fan: new Fan(
      listeners.map(each => each.socket),
      () => publisher.socket.send(publisher.text('publish', members('bench:fan'))),
      text => text.startsWith('{"type":"publication"')
    )
  }
}

async function onCentrifugo(subscribers) {
  const server = await startCentrifugo()
  const sessions = await openMany(sockets, () => CentrifugoSession.open(server.url))
  const listeners = await openMany(subscribers, () => CentrifugoSession.open(server.url))
  await Promise.all(listeners.map(each => each.ask('"subscribe":{"channel":"fan"}')))
  const publisher = await CentrifugoSession.open(server.url)
  publisher.socket.onText = () => {}
  const text = (each, channel, of) => each.text(`"publish":{"channel":"${channel}","data":${of}}`)
  return {
    ...{ name: peer, server, sessions: [...sessions, ...listeners, publisher], heartbeats: undefined },
    publishes: sessions.map(each => ({ socket: each.socket, next: () => text(each, 'quiet', data) })),
    fan: new Fan(
      listeners.map(each => each.socket),
      () => publisher.socket.send(text(publisher, 'fan', publication)),
      line => line.startsWith('{"push"')
    )
  }
}

/** The processes of each operation on one side; undefined if it has none. */
const runs = {
  heartbeat: ({ heartbeats }) => heartbeats && (ms => keepInFlight(heartbeats, inFlight, ms)),
  publish:
    ({ publishes }) =>
    ms =>
      keepInFlight(publishes, inFlight, ms),
  one:
    ({ publishes }) =>
    ms =>
      keepInFlight(publishes, 1, ms),
  delivery:
    ({ fan }) =>
    ms =>
      fan.run(ms)
}

const notes = `The gateway is the same build on each version; the load runs on the Node of the first line. The gateway supports Node 20.19 and newer; Node 24 is recommended, and the container image has it.`

export default async function run({ pace, out, quick }) {
  const subscribers = quick ? 20 : 200
  const centrifugoIs = centrifugoVersion()
  const sides = []
  const installed = install()
  for (const each of installed) sides.push(await onNode(each, subscribers))
  if (centrifugoIs !== undefined) sides.push(await onCentrifugo(subscribers))
  const results = {}
  for (const [operation, name] of Object.entries(operations)) {
    log(`  ${name} …`)
    const able = sides
      .map(side => ({ name: side.name, cpuUs: side.server.cpuUs, run: runs[operation](side) }))
      .filter(each => each.run !== undefined)
    results[operation] = await interleave(able, { ...pace, rounds: Math.min(pace.rounds, 5) })
  }
  for (const { sessions, server } of sides) {
    for (const each of sessions) each.close()
    await server.stop()
  }

  const cost = (operation, name) => results[operation].get(name)
  const row = ({ name }) => [
    name,
    ...Object.keys(operations).map(operation =>
      cost(operation, name) === undefined ? '–' : us(median(cost(operation, name).us))
    )
  ]
  const toPeer = (operation, most) =>
    held(`${recommended}, ${operations[operation]}, to ${peer}`, ratio(results[operation], recommended, peer), { most })
  write({
    ...{ out, name: 'nodes', title: 'The gateway on each version of Node' },
    intro: 'Server CPU of one operation with the embedded store, all versions in one run.',
    versions: {
      'Gateway on Node': installed.map(([version]) => version).join(', '),
      Centrifugo: centrifugoIs ?? '(not on the PATH)'
    },
    sections: [
      table(['', ...Object.values(operations)], sides.map(row)),
      table(
        [`to ${sides[0].name}`, ...Object.values(operations)],
        sides
          .filter(({ name }) => name !== peer)
          .map(({ name }) => [
            name,
            ...Object.keys(operations).map(each => ratio(results[each], name, sides[0].name).value.toFixed(2))
          ])
      ),
      ...(cost('publish', recommended) === undefined || cost('publish', peer) === undefined
        ? []
        : [table(barHead, [toPeer('publish', 1.6), toPeer('one', 1.15), toPeer('delivery', 1)])]),
      notes
    ],
    panels: Object.entries(operations).map(([operation, title]) => ({
      title: `Server CPU, µs: ${title} (less is better)`,
      bars: [...results[operation]].map(([name, { us: costs }]) => ({
        ...{ name, value: median(costs), isOurs: name !== peer }
      }))
    }))
  })
}
