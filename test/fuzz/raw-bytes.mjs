import { connect } from 'node:net'

/** Almost valid HTTP on TCP connections. A request that stays incomplete gets no answer: the connection is given up. */

const lanes = 8
const answerMs = 100
const refused = /^HTTP\/1\.1 (5\d\d)/

const requests = [
  'GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n',
  'GET /v1/admin/clients?limit=1 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer x\r\n\r\n',
  'POST /v1/publish HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
  'POST /v1/bridge/challenge HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n',
  'POST /v1/bridge/sessions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  `POST /v1/bridge/sessions/${'a'.repeat(32)}/exchange HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}`,
  'GET /v1/ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
    'sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  'GET /%E0%A4%A HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: [::1]:1, 10.0.0.1:2\r\n\r\n'
]

/** Sends one input on its own connection. @returns the beginning of the answer, '' if there is none */
function send(port, bytes) {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port })
    const finish = answer => {
      clearTimeout(timer)
      // A reset leaves no TIME_WAIT behind, which would use up the ports.
      socket.resetAndDestroy()
      resolve(answer)
    }
    const timer = setTimeout(finish, answerMs, '')
    socket.on('connect', () => socket.write(bytes))
    socket.on('data', data => finish(data.toString('latin1')))
    socket.on('error', () => finish(''))
    socket.on('close', () => finish(''))
  })
}

export async function fuzzBytes({ gateway, mutator, report, progress, count }) {
  let left = count
  async function lane() {
    while (left-- > 0 && !progress.isOver()) {
      const bytes = mutator.random() < 0.05 ? mutator.noise(300) : mutator.changeBytes(mutator.pick(requests))
      const answer = await send(gateway.port, bytes)
      if (refused.test(answer)) report(bytes, answer)
      progress.done++
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}
