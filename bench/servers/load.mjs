import { openMany, WsSession } from '../lib/countersign.mjs'
import { keepInFlight } from '../lib/measure.mjs'
import { RawSocket } from '../lib/raw-ws.mjs'

// A part of the load: one process cannot be as fast as the server with all sockets. Its commands are in lib/load.mjs.

let seq = 0
let clients = []
/** Deliveries that are missing until every subscriber here has the publication. */
let missing = 0

async function openSession(url, credential) {
  const session = await WsSession.open(url, credential)
  return { socket: session.socket, session, next: () => session.text('heartbeat') }
}

async function openSocket(url) {
  const socket = await RawSocket.connect(url, '/')
  return { socket, next: () => `{"type":"heartbeat","seq":${++seq}}` }
}

const verbs = {
  async open({ url, credential, count }) {
    const open = credential === undefined ? openSocket : openSession
    clients.push(...(await openMany(count, () => open(url, credential))))
  },
  subscribe: ({ count }) =>
    Promise.all(
      clients.slice(0, count).map(({ session, socket }) => {
        if (session !== undefined) return session.ask('subscribe', ',"channel":"bench:fan"')
        return new Promise(resolve => {
          socket.onText = resolve
          socket.send('{"type":"subscribe"}')
        })
      })
    ).then(() => {}),
  request: ({ ms }) => keepInFlight(clients, 1, ms),
  listen({ count }) {
    const subscribers = clients.slice(0, count)
    missing = subscribers.length
    for (const { socket } of subscribers) {
      socket.onText = text => {
        if (!text.startsWith('{"type":"publication"') || --missing > 0) return
        missing = subscribers.length
        process.send({ received: true })
      }
    }
  },
  close() {
    for (const { socket } of clients) socket.destroy()
    clients = []
  }
}

process.on('message', async ({ id, verb, ...params }) => {
  try {
    process.send({ id, result: await verbs[verb](params) })
  } catch (error) {
    process.send({ id, error: String(error.stack ?? error) })
  }
})
process.on('disconnect', () => process.exit(0))
