import { randomBytes } from 'node:crypto'
import WebSocket from 'ws'

/** A WebSocket session that ends with its gateway: open requests are then rejected, as their outcome is unknown. */

const welcomeMs = 10_000
const built = path => import(new URL(`../../dist/${path}.js`, import.meta.url).href)

export class SessionLost extends Error {}

/**
 * @param url     of the gateway, `http://…`
 * @param onCall  gets each call
 * @throws SessionLost
 */
export async function openWsPeer({ url, credential, onCall, onFailure }) {
  const { ClientSession } = await built('client/session')
  const { createNodeMac } = await built('protocol/mac-node')
  const session = new ClientSession(createNodeMac, credential, randomBytes(24).toString('base64url'), undefined)
  const open = new Map()
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/ws`)
  let sessionId

  function apply(message) {
    if (message.type === 'call') return onCall(message)
    if (message.type === 'ping') return socket.send(session.sign({ type: 'heartbeat' }).frame)
    if (message.type === 'challenge') return socket.send(session.answerChallenge(message.challengeToken).frame)
    const request = open.get(message.re)
    if (request === undefined) return message.type === 'heartbeat' || onFailure(`ws: ${JSON.stringify(message)}`)
    open.delete(message.re)
    return request.resolve(message)
  }

  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new SessionLost('no welcome')), welcomeMs)
    const lose = () => {
      clearTimeout(timer)
      reject(new SessionLost('not connected'))
      for (const request of open.values()) request.reject(new SessionLost('the connection closed'))
      open.clear()
    }
    socket.on('error', () => {})
    socket.on('close', lose)
    socket.on('message', data => {
      const received = session.receive(data)
      if (received.kind === 'challenge') socket.send(received.answer)
      else if (received.kind === 'message') apply(received.message)
      else if (received.kind === 'welcome') {
        clearTimeout(timer)
        sessionId = received.welcome.sessionId
        resolve()
      } else onFailure(`ws: did not expect ${JSON.stringify(received)}`)
    })
  })
  return {
    sessionId,
    get isOpen() {
      return socket.readyState === WebSocket.OPEN
    },
    /** @returns the answer. Rejects with SessionLost */
    request(message) {
      if (socket.readyState !== WebSocket.OPEN) return Promise.reject(new SessionLost('the connection is closed'))
      const { seq, frame } = session.sign(message)
      socket.send(frame)
      return new Promise((resolve, reject) => open.set(seq, { resolve, reject }))
    },
    close: () => socket.terminate()
  }
}
