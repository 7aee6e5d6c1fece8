import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import WebSocket from 'ws'

/** A session over an undisturbed WebSocket: it observes what the cluster does, and publishes into it. */

const built = path => import(new URL(`../../dist/${path}.js`, import.meta.url).href)

export async function openObserver({ url, credential, onPublication, onFailure }) {
  const { ClientSession } = await built('client/session')
  const { createNodeMac } = await built('protocol/mac-node')
  const session = new ClientSession(createNodeMac, credential, randomBytes(24).toString('base64url'), undefined)
  const open = new Map()
  const news = new EventTarget()
  const socket = new WebSocket(url)
  let isOver = false

  socket.on('error', error => onFailure(`observer: ${error.message}`))
  socket.on('close', code => {
    if (!isOver) onFailure(`observer: closed with ${code}`)
  })
  socket.on('message', data => {
    const received = session.receive(data)
    if (received.kind === 'challenge') socket.send(received.answer)
    else if (received.kind === 'welcome') news.dispatchEvent(new Event('welcome'))
    else if (received.kind === 'message') apply(received.message)
    else onFailure(`observer: did not expect ${JSON.stringify(received)}`)
  })

  function apply(message) {
    if (message.type === 'publication') return onPublication(message)
    if (message.type === 'challenge') return socket.send(session.answerChallenge(message.challengeToken).frame)
    const resolve = open.get(message.re)
    if (resolve === undefined) return message.type === 'ack' || onFailure(`observer: ${JSON.stringify(message)}`)
    open.delete(message.re)
    news.dispatchEvent(new Event('capacity'))
    return resolve(message)
  }

  function request(message) {
    const { seq, frame } = session.sign(message)
    socket.send(frame)
    return new Promise(resolve => open.set(seq, resolve))
  }

  async function untilOpenAtMost(most) {
    while (open.size > most) await once(news, 'capacity')
  }

  await once(news, 'welcome')
  return {
    request,
    untilOpenAtMost,
    close() {
      isOver = true
      socket.terminate()
    }
  }
}
