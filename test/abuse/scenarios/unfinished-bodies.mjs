import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { openWitness } from '../witness.mjs'

/** One address opens thousands of exchanges and never sends the last byte of a body. */

const sockets = 3500
const bodyBytes = 262_144

function open(port) {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => {})
  const id = randomBytes(24).toString('base64url')
  socket.on('connect', () => {
    socket.write(
      `POST /v1/bridge/sessions/${id}/exchange HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${bodyBytes}\r\n\r\n`
    )
    socket.write(Buffer.alloc(bodyBytes - 1, 0x61))
  })
  return socket
}

export const title = 'thousands of request bodies that are never finished'

export async function run({ gateway, seconds, pause }) {
  const witness = await openWitness(gateway)
  const opened = []
  for (let i = 0; i < sockets; i += 100) {
    for (let j = 0; j < 100; j++) opened.push(open(gateway.port))
    await pause(20)
  }
  await pause(seconds * 1000)
  for (const socket of opened) socket.destroy()
  const { worstMs, lost } = await witness.stop()
  const peakMib = Math.max(...gateway.curve)
  return {
    checks: [
      ['memory stays below 400 MiB', peakMib < 400],
      ['a live session waits less than 2 s', worstMs < 2000],
      ['a live session is not lost', lost === 0]
    ],
    facts: { worstMs, lost, peakMib }
  }
}
