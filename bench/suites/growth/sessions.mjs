import { WsSession } from '../../lib/countersign.mjs'
import { publication } from '../../lib/fan.mjs'
import { Load } from '../../lib/load.mjs'
import { interleave } from '../../lib/measure.mjs'
import { createCredential, startGateway, startPeer } from '../../lib/processes.mjs'
import { RawSocket } from '../../lib/raw-ws.mjs'
import { log } from '../../lib/report.mjs'

// One server for each number of sessions, and a bare one beside each: what a session takes and what a request costs.

/** The first connections pay for code and tables that are there once. */
const warmUp = 100

async function startOurs() {
  const gateway = await startGateway()
  const credential = await createCredential(gateway)
  const publisher = await WsSession.open(gateway.url, credential)
  const members = `,"channel":"bench:fan","data":${publication}`
  const publish = () => publisher.socket.send(publisher.text('publish', members))
  return { server: gateway, credential, publisher, publish }
}

async function startBare() {
  const server = await startPeer('bare-ws')
  const socket = await RawSocket.connect(server.url, '/')
  const publish = () => socket.send(`{"type":"publishWithOurMac","data":${publication}}`)
  return { server, credential: undefined, publisher: { socket }, publish }
}

/** A server with `count` connections more than it was warmed up with, and what they have cost. */
async function grow(kind, count) {
  const side = await (kind === 'countersign' ? startOurs() : startBare())
  const { server, credential, publisher } = side
  publisher.socket.onText = () => {}
  const first = new Load(Math.min(warmUp, count))
  await first.open(server.url, credential)
  const before = await server.ask('collect')
  const load = new Load(count)
  await load.open(server.url, credential)
  // Lets timers of a second run, which free data of ended sessions.
  await new Promise(resolve => setTimeout(resolve, count < 1000 ? 100 : 1500))
  const after = await server.ask('collect')
  first.stop()
  const each = name => (after[name] - before[name]) / count
  return {
    ...{ ...side, kind, count, load, rss: each('rss'), heap: each('heap'), openUs: each('cpuUs') },
    async stop() {
      load.stop()
      await server.stop()
    }
  }
}

/**
 * @param {number[]} counts  sessions of one server, from few to many
 * @param {number[]} fans    subscribers, from few to many; the last count has the most of them
 * @returns the grown sides; requests by `kind count`; deliveries by `kind fan`
 */
export async function measureSessions(counts, fans, pace) {
  const grown = []
  for (const count of counts) {
    for (const kind of ['countersign', 'ws']) {
      log(`  ${count} connections of ${kind} …`)
      grown.push(await grow(kind, count))
    }
  }
  log('  requests …')
  const requests = await interleave(
    grown.map(({ kind, count, load, server }) => ({
      ...{ name: `${kind} ${count}`, run: ms => load.request(ms), cpuUs: server.cpuUs }
    })),
    pace
  )
  log(`  a publication to ${fans.join(' and ')} …`)
  const sides = []
  for (const fan of fans) {
    for (const { kind, load, server, publish } of grown.filter(({ count }) => count === smallest(counts, fan))) {
      await load.subscribe(fan)
      sides.push({ name: `${kind} ${fan}`, run: ms => load.fan(fan, publish, ms), cpuUs: server.cpuUs })
    }
  }
  const deliveries = await interleave(sides, pace)
  for (const each of grown) await each.stop()
  return { grown, requests, deliveries }
}

/** The smallest server that has as many sessions. */
const smallest = (counts, fan) => counts.find(count => count >= fan)
