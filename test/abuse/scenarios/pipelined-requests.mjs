import { connect } from 'node:net'
import { commonChecks } from '../bounds.mjs'
import { openWitness } from '../witness.mjs'

/** Eight sockets send requests without waiting for answers, and the gateway's log is not read. */

const sockets = 8
const batch = 200
const reconnectMs = 20
const paths = ['/livez', '/nowhere', '/metrics', '/readyz', '/v1/admin/clients']

function flood(port, path, isOver) {
  const text = `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`.repeat(batch)
  const socket = connect({ host: '127.0.0.1', port })
  const send = () => {
    while (!isOver() && !socket.destroyed && socket.write(text));
    if (isOver()) socket.destroy()
  }
  socket.on('connect', send).on('drain', send)
  socket.on('data', () => {})
  socket.on('error', () => {})
  socket.on('close', () => {
    if (!isOver()) setTimeout(flood, reconnectMs, port, path, isOver)
  })
}

export const title = 'pipelined requests to health, metrics and unknown paths'

export async function prepare() {
  return { readsLog: false }
}

export async function run({ gateway, seconds, pause }) {
  const witness = await openWitness(gateway)
  let isOver = false
  for (let i = 0; i < sockets; i++) flood(gateway.port, paths[i % paths.length], () => isOver)
  await pause(seconds * 1000)
  isOver = true
  const measured = await witness.stop()
  return { checks: commonChecks(gateway, measured), measured }
}
