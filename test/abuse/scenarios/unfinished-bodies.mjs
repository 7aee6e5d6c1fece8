import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { commonChecks } from '../bounds.mjs'
import { openWitness } from '../witness.mjs'

/** One address opens thousands of requests and never sends the last byte of a body. */

const sockets = 3500
const burst = 100
const burstPauseMs = 20
const bodyBytes = 262_144

function open(port) {
  const socket = connect({ host: '127.0.0.1', port })
  const id = randomBytes(24).toString('base64url')
  socket.on('error', () => {})
  socket.on('connect', () => {
    socket.write(
      `POST /v1/bridge/sessions/${id}/exchange HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${bodyBytes}\r\n\r\n`
    )
    socket.write(Buffer.alloc(bodyBytes - 1, 'a'))
  })
  return socket
}

export const title = 'thousands of request bodies that are never finished'

export async function run({ gateway, seconds, pause }) {
  const witness = await openWitness(gateway)
  const opened = []
  for (let i = 0; i < sockets; i++) {
    opened.push(open(gateway.port))
    if (i % burst === 0) await pause(burstPauseMs)
  }
  await pause(seconds * 1000)
  for (const socket of opened) socket.destroy()
  const measured = await witness.stop()
  return { checks: commonChecks(gateway, measured), measured }
}
