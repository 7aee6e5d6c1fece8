import { connect } from 'node:net'
import { openWitness } from '../witness.mjs'

/** Eight sockets pipeline requests and never read the answers fast enough. */

const sockets = 8
const batch = 200
const requests = ['/livez', '/nowhere', '/metrics', '/readyz', '/v1/admin/clients']

function flood(port, path) {
  const socket = connect({ host: '127.0.0.1', port })
  const text = `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`.repeat(batch)
  const sent = { count: 0, socket, open: true }
  const more = () => {
    while (sent.open && !socket.destroyed) {
      sent.count += batch
      if (!socket.write(text)) return
    }
  }
  socket.on('connect', more).on('drain', more)
  socket.on('data', () => {})
  socket.on('error', () => {})
  socket.on('close', () => {
    if (sent.open) setTimeout(() => sent.open && Object.assign(sent, { next: flood(port, path) }), 20)
  })
  return sent
}

function end(sent) {
  sent.open = false
  sent.socket.destroy()
  if (sent.next !== undefined) end(sent.next)
}

export const title = 'pipelined requests of health, metrics and unknown paths'

export async function run({ gateway, seconds, pause }) {
  const witness = await openWitness(gateway)
  const floods = Array.from({ length: sockets }, (_, i) => flood(gateway.port, requests[i % requests.length]))
  await pause(seconds * 1000)
  for (const each of floods) end(each)
  const { worstMs, lost } = await witness.stop()
  return {
    checks: [
      ['memory stays below 400 MiB', Math.max(...gateway.curve) < 400],
      ['a live session waits less than 2 s', worstMs < 2000],
      ['a live session is not lost', lost === 0]
    ],
    facts: { worstMs, lost, peakMib: Math.max(...gateway.curve) }
  }
}
