import { openMany, WsSession } from '../../lib/countersign.mjs'
import { interleave, keepInFlight } from '../../lib/measure.mjs'
import { createCredential, startGateway, startPeer, startRedis } from '../../lib/processes.mjs'
import { RawSocket } from '../../lib/raw-ws.mjs'
import { log } from '../../lib/report.mjs'

// Publications to few and to many channels, each to another one at random. All histories are full.

const [sessions, inFlight, historySize] = [20, 10, 4]
const data = '{"text":"sixteen letters!","n":1}'

/** Fills every history, one channel after the other. */
function fill(clients, count, textOf) {
  const total = count * historySize
  let [sent, answered] = [0, 0]
  return new Promise(resolve => {
    for (const client of clients) {
      const send = () => client.socket.send(textOf(client, sent++ % count))
      client.socket.onText = text => {
        if (text.includes('"error"')) throw new Error(`refused: ${text}`)
        if (++answered === total) resolve()
        else if (sent < total) send()
      }
      for (let i = 0; i < inFlight; i++) if (sent < total) send()
    }
  })
}

const random = count => Math.floor(Math.random() * count)

/** @returns {Promise<{ clients: { socket: object, session?: WsSession }[], textOf: Function, cpuUs: Function, stop: Function }>} */
async function startOurs(store) {
  const redis = store === 'Redis' ? await startRedis() : undefined
  const env = { COUNTERSIGN_HISTORY_SIZE: String(historySize), COUNTERSIGN_CLIENT_CHANNELS: '1000000' }
  const gateway = await startGateway({ redisUrl: redis?.url, env })
  const credential = await createCredential(gateway)
  const opened = await openMany(sessions, () => WsSession.open(gateway.url, credential))
  return {
    clients: opened.map(session => ({ socket: session.socket, session })),
    textOf: ({ session }, i) => session.text('publish', `,"channel":"bench:${i}","data":${data}`),
    cpuUs: async () => (await gateway.cpuUs()) + ((await redis?.cpuUs()) ?? 0),
    async stop() {
      for (const each of opened) each.close()
      await gateway.stop()
      await redis?.stop()
    }
  }
}

/** A Map of arrays in the same process as a `ws` server. */
async function startBare() {
  const server = await startPeer('bare-ws', { HISTORY_SIZE: String(historySize) })
  const sockets = await openMany(sessions, () => RawSocket.connect(server.url, '/'))
  return {
    clients: sockets.map(socket => ({ socket })),
    textOf: (_client, i) => `{"type":"append","channel":"bench:${i}","data":${data}}`,
    cpuUs: server.cpuUs,
    async stop() {
      for (const socket of sockets) socket.destroy()
      await server.stop()
    }
  }
}

/**
 * @param {('embedded' | 'Redis' | 'ws')[]} kinds
 * @returns results by `kind count`
 */
export async function measureChannels(kinds, counts, pace) {
  const opened = []
  for (const kind of kinds) {
    for (const count of counts) {
      log(`  ${count} channels, ${kind} …`)
      const side = await (kind === 'ws' ? startBare() : startOurs(kind))
      await fill(side.clients, count, side.textOf)
      opened.push({ ...side, name: `${kind} ${count}`, count })
    }
  }
  const results = await interleave(
    opened.map(({ name, clients, textOf, count, cpuUs }) => {
      const some = clients.map(each => ({ socket: each.socket, next: () => textOf(each, random(count)) }))
      return { name, cpuUs, run: ms => keepInFlight(some, inFlight, ms) }
    }),
    pace
  )
  for (const each of opened) await each.stop()
  return results
}
