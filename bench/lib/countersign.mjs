import { randomBytes } from 'node:crypto'
import { signMessage, signText } from '../../dist/protocol/frame.js'
import { deriveSession } from '../../dist/protocol/handshake.js'
import { createNodeMac } from '../../dist/protocol/mac-node.js'
import { RawHttp } from './raw-http.mjs'
import { RawSocket } from './raw-ws.mjs'

// Clients of the gateway that do no more than they must: they sign all that they send and count what they get. Answers
// are not verified here; that they are right is what the tests are for.

function prove({ clientId, keyId, secret }, challengeToken) {
  const clientNonce = randomBytes(24).toString('base64url')
  const { challengeSignature, clientKey } = deriveSession(createNodeMac, secret, challengeToken, clientNonce)
  const mac = createNodeMac(clientKey)
  const message = { type: 'authenticate', seq: 1, protocol: 'countersign.v1', clientId, keyId, challengeToken }
  return { mac, frame: signMessage(mac, { ...message, challengeSignature, clientNonce }) }
}

/** A session on a WebSocket. */
export class WsSession {
  socket
  sessionId
  #mac
  #seq = 1

  static async open(url, credential) {
    const session = new WsSession()
    const socket = await RawSocket.connect(url, '/v1/ws')
    session.socket = socket
    const next = () => new Promise(resolve => (socket.onText = resolve))
    const { challengeToken } = JSON.parse(await next())
    const { mac, frame } = prove(credential, challengeToken)
    session.#mac = mac
    const welcomed = next()
    socket.send(frame)
    const welcome = JSON.parse(await welcomed)
    if (welcome.type !== 'welcome') throw new Error(`no session: ${JSON.stringify(welcome)}`)
    session.sessionId = welcome.sessionId
    return session
  }

  /** @param members  the text of the message behind its seq, from the comma on */
  text(type, members = '') {
    return signText(this.#mac, `{"type":"${type}","seq":${++this.#seq}${members}}`)
  }

  /** Sends and waits for what comes next. */
  async ask(type, members) {
    const answered = new Promise(resolve => (this.socket.onText = resolve))
    this.socket.send(this.text(type, members))
    const answer = JSON.parse(await answered)
    if (answer.type === 'error') throw new Error(`refused: ${JSON.stringify(answer)}`)
    return answer
  }

  close() {
    this.socket.destroy()
  }
}

/** A session of the bridge. It asks over a connection of its own; a second instance may be given for every other time. */
export class BridgeSession {
  sessionId
  #connections
  #path
  #mac
  #seq = 1
  #poll = 0
  #ack = 1
  #turn = 0

  /** @param urls  instances that it uses in turn; the first opens it */
  static async open(urls, credential) {
    const session = new BridgeSession()
    session.#connections = urls.map(url => new RawHttp(url))
    const [first] = session.#connections
    const { challengeToken } = JSON.parse((await first.ask('POST', '/v1/bridge/challenge')).body)
    const { mac, frame } = prove(credential, challengeToken)
    session.#mac = mac
    const { status, body } = await first.ask('POST', '/v1/bridge/sessions', frame)
    if (status !== 201) throw new Error(`no session: ${status} ${body}`)
    session.sessionId = JSON.parse(body.split('\n')[0]).sessionId
    session.#path = `/v1/bridge/sessions/${session.sessionId}/exchange`
    return session
  }

  /** @param members  the text of the message behind its seq, from the comma on */
  text(type, members = '') {
    return signText(this.#mac, `{"type":"${type}","seq":${++this.#seq}${members}}`)
  }

  /** @returns {Promise<string[]>} the frames that came, without `polled` */
  async exchange(lines = [], wait = 0) {
    const poll = signText(this.#mac, `{"type":"poll","poll":${++this.#poll},"ack":${this.#ack},"wait":${wait}}`)
    const connection = this.#connections[this.#turn++ % this.#connections.length]
    const { status, body } = await connection.ask('POST', this.#path, [...lines, poll].join('\n'))
    if (status !== 200) throw new Error(`refused: ${status} ${body}`)
    const frames = body.split('\n').slice(0, -2)
    this.#ack += frames.length
    return frames
  }

  close() {
    for (const connection of this.#connections) connection.destroy()
  }
}

/** Opens many connections, a bounded number of them concurrently. */
export async function openMany(count, open, atOnce = 32) {
  const opened = []
  let begun = 0
  async function work() {
    while (begun < count) {
      const i = begun++
      opened[i] = await open(i)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, work))
  return opened
}
