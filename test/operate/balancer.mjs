import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { loopback } from '../helper/processes.mjs'

/** A load balancer on TCP: new connections go to its instances in turn, open ones stay where they are. */
export async function startBalancer(gateways) {
  const ports = new Set(gateways.map(({ port }) => port))
  const sockets = new Set()
  let turn = 0
  const server = createServer({ allowHalfOpen: true }, client => {
    const all = [...ports]
    if (all.length === 0) return client.destroy()
    const upstream = connect({ host: loopback, port: all[turn++ % all.length], allowHalfOpen: true })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client]
    ]) {
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => sockets.delete(socket))
      socket.pipe(other)
    }
    return undefined
  }).listen(0, loopback)
  await once(server, 'listening')
  return {
    url: `http://${loopback}:${server.address().port}`,
    join: ({ port }) => ports.add(port),
    leave: ({ port }) => ports.delete(port),
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}
