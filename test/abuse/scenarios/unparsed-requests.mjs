import { connect } from 'node:net'
import { commonChecks } from '../bounds.mjs'
import { openWitness } from '../witness.mjs'

/** Sockets that send CONNECT or no HTTP at all, each closed by the gateway and opened again. */

const sockets = 32
const texts = [
  'CONNECT example.test:443 HTTP/1.1\r\nhost: example.test\r\n\r\n',
  '\x16\x03\x01\x00\x00garbage\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  `GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`
]

function flood(port, text, counts, isOver) {
  const socket = connect({ host: '127.0.0.1', port })
  let isAnswered = false
  socket.on('connect', () => socket.write(text))
  socket.on('data', () => {
    isAnswered = true
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    counts.sent++
    if (isAnswered) counts.answered++
    if (!isOver()) flood(port, text, counts, isOver)
  })
}

export const title = 'CONNECT and what is no HTTP, over ever new sockets'

export async function run({ gateway, seconds, pause }) {
  const witness = await openWitness(gateway)
  const counts = { sent: 0, answered: 0 }
  let isOver = false
  for (let i = 0; i < sockets; i++) flood(gateway.port, texts[i % texts.length], counts, () => isOver)
  await pause(seconds * 1000)
  isOver = true
  const measured = await witness.stop()
  const bounded = [
    [`at most the rate of an address is answered (${counts.answered} of ${counts.sent})`, counts.answered <= 3000 * 2],
    ['most are cut without an answer', counts.sent < 6000 || counts.answered < counts.sent / 2]
  ]
  return { checks: [...commonChecks(gateway, measured), ...bounded], measured: { ...measured, ...counts } }
}
