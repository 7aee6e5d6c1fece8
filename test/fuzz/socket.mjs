import { once } from 'node:events'
import { WebSocket } from 'ws'
import { authenticateFrame, openRawSocket, signText } from '../helper/raw-client.mjs'
import { messages } from './messages.mjs'

/** WebSocket: wrong handshakes, and frames of a session that are signed and wrong. */

const lanes = 8
const answerMs = 30_000
const maxMessages = 2000

/** @returns the next frame as text, 'closed', or undefined if neither comes in time */
function nextAnswer(socket, isAnswer = () => true) {
  return new Promise(resolve => {
    const finish = answer => {
      clearTimeout(timer)
      socket.off('message', onMessage)
      socket.off('close', onClose)
      resolve(answer)
    }
    const onMessage = data => {
      const text = data.toString()
      if (text.includes('"INTERNAL"') || isAnswer(text)) finish(text)
    }
    const onClose = () => finish('closed')
    const timer = setTimeout(finish, answerMs, undefined)
    socket.on('message', onMessage)
    socket.on('close', onClose)
    if (socket.readyState === WebSocket.CLOSED) onClose()
  })
}

function checkAnswer(report, input, answer) {
  if (answer === undefined) report(input, `no answer in ${answerMs} ms`)
  else if (answer.includes('"INTERNAL"')) report(input, answer)
}

export async function fuzzHandshakes({ gateway, credential, mutator, report, progress, count }) {
  let left = count
  async function lane() {
    while (left-- > 0 && !progress.isOver()) {
      const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/ws`)
      socket.on('error', () => {})
      const [challenge] = await once(socket, 'message').catch(() => ['{}'])
      const { frame, clientKey } = authenticateFrame(credential, JSON.parse(challenge).challengeToken ?? '')
      const { signature: _, ...message } = JSON.parse(frame)
      const bytes = mutator.bytesOf(message)
      const input = mutator.random() < 0.5 ? signText(clientKey, bytes) : mutator.changeBytes(frame)
      const answer = nextAnswer(socket)
      socket.send(input, { binary: mutator.random() < 0.05 })
      checkAnswer(report, input, await answer)
      socket.terminate()
      progress.done++
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

async function runSession({ gateway, credential, mutator, report, progress }, claim) {
  const { socket, clientKey, seq } = await openRawSocket(gateway.url, credential)
  let next = seq
  for (let i = 0; i < maxMessages && socket.readyState === WebSocket.OPEN && !progress.isOver() && claim(); i++) {
    const { type, ...members } = mutator.pick(messages)
    const bytes = mutator.bytesOf({ type, seq: next, ...members })
    const signed = signText(clientKey, bytes)
    const input = mutator.random() < 0.03 ? mutator.changeBytes(signed) : signed
    const answer = nextAnswer(socket, text => text.includes(`"re":${next},`) || text.includes(`"re":${next}}`))
    socket.send(input, { binary: mutator.random() < 0.005 })
    checkAnswer(report, input, await answer)
    next++
    progress.done++
  }
  socket.terminate()
}

export async function fuzzSocket(run) {
  let left = run.count
  const claim = () => left-- > 0
  async function lane() {
    while (left > 0 && !run.progress.isOver()) {
      await runSession(run, claim).catch(error => run.report('handshake', String(error)))
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}
