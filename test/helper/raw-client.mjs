import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { WebSocket } from 'ws'

/** A client that signs whatever bytes it is given (PROTOCOL §2, §4), for runs that send what no honest client would. */

const protocolName = 'countersign.v1'
const nonceBytes = 24
const challengeMs = 10_000

export function hmac(key, data) {
  return createHmac('sha256', key).update(data).digest('hex')
}

/**
 * Signs the text of an object, whether or not it is valid JSON. Its last byte must be `}`.
 * @param {Uint8Array | string} key
 * @param {Uint8Array | string} text
 */
export function signText(key, text) {
  const bytes = Buffer.from(text)
  return Buffer.concat([bytes.subarray(0, -1), Buffer.from(`,"signature":"${hmac(key, bytes)}"}`)])
}

/** @returns {{ frame: Buffer, clientKey: Buffer, serverKey: Buffer }} the authenticate frame and the session's keys */
export function authenticateFrame({ clientId, keyId, secret }, challengeToken) {
  const clientNonce = randomBytes(nonceBytes).toString('base64url')
  const keyOf = side =>
    createHmac('sha256', secret).update(`${protocolName}:${side}:${challengeToken}:${clientNonce}`).digest()
  const clientKey = keyOf('client')
  const message = {
    ...{ type: 'authenticate', seq: 1, protocol: protocolName, clientId, keyId, challengeToken },
    ...{ challengeSignature: hmac(secret, challengeToken), clientNonce }
  }
  return { frame: signText(clientKey, JSON.stringify(message)), clientKey, serverKey: keyOf('server') }
}

/**
 * Opens a WebSocket session.
 * @param {string} url  of the gateway, `http://…`
 * @throws when the handshake is refused
 */
export async function openRawSocket(url, credential) {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/ws`)
  socket.on('error', () => {})
  const signal = AbortSignal.timeout(challengeMs)
  const [challenge] = await once(socket, 'message', { signal })
  const { frame, clientKey } = authenticateFrame(credential, JSON.parse(challenge).challengeToken)
  socket.send(frame.toString())
  const [welcome] = await once(socket, 'message', { signal })
  const { type, code, sessionId } = JSON.parse(welcome)
  if (type !== 'welcome') throw new Error(`the handshake was refused: ${code}`)
  return { socket, clientKey, sessionId, seq: 2 }
}

/** Opens a bridge session. @throws when the handshake is refused */
export async function openRawBridge(url, credential) {
  const challenge = await (await fetch(`${url}/v1/bridge/challenge`, { method: 'POST' })).json()
  const { frame, clientKey } = authenticateFrame(credential, challenge.challengeToken)
  const answer = await fetch(`${url}/v1/bridge/sessions`, { method: 'POST', body: frame })
  const { type, code, sessionId } = JSON.parse(await answer.text())
  if (type !== 'welcome') throw new Error(`the handshake was refused: ${code}`)
  return { url: `${url}/v1/bridge/sessions/${sessionId}/exchange`, clientKey, sessionId, seq: 2, poll: 1, ack: 1 }
}
