import { Agent } from 'node:http'
import { authenticateFrame, openRawBridge, signText } from '../helper/raw-client.mjs'
import { send } from './http-client.mjs'
import { messages } from './messages.mjs'

/** The bridge: wrong handshakes, and exchanges that are signed and wrong. */

const lanes = 6
const answerMs = 30_000
const handshakeShare = 0.1
const lineFeed = Buffer.from('\n')

const post = (agent, url, body) => send(url, { agent, method: 'POST', body, answerMs })

function checkAnswer(report, input, { status, text }) {
  if (status >= 500 || text.includes('"INTERNAL"')) report(input, `${status} ${text}`)
}

/** A poll that would be held for long keeps its lane from sending. */
function withShortWait(poll) {
  return Buffer.from(poll.toString('latin1').replace(/"wait":[1-9][\d.e+]*/, '"wait":0.01'), 'latin1')
}

/** The lines of an exchange, with one of them wrong more often than not. */
function bodyOf({ random, below, pick, bytesOf, changeBytes }, session) {
  const lines = Array.from({ length: below(4) }, () => {
    const { type, ...members } = pick(messages)
    const message = { type, seq: session.seq++, ...members }
    return signText(session.clientKey, random() < 0.5 ? bytesOf(message) : JSON.stringify(message))
  })
  const poll = { type: 'poll', poll: session.poll++, ack: session.ack, wait: 0 }
  lines.push(signText(session.clientKey, random() < 0.3 ? withShortWait(bytesOf(poll)) : JSON.stringify(poll)))
  const body = Buffer.concat(lines.flatMap((line, i) => (i === 0 ? [line] : [lineFeed, line])))
  return random() < 0.05 ? changeBytes(body) : body
}

export async function fuzzBridge({ gateway, credential, mutator, report, progress, count }) {
  const agent = new Agent({ keepAlive: true, maxSockets: lanes })
  let left = count

  async function wrongHandshake() {
    const challenge = await post(agent, `${gateway.url}/v1/bridge/challenge`, '')
    checkAnswer(report, 'a request for a challenge', challenge)
    // The gateway cuts a connection that was idle for too long, or a limit was hit.
    if (challenge.status !== 200) return
    const { challengeToken } = JSON.parse(challenge.text)
    const { frame, clientKey } = authenticateFrame(credential, challengeToken)
    const { signature: _, ...message } = JSON.parse(frame)
    const signed = signText(clientKey, mutator.bytesOf(message))
    const input = mutator.random() < 0.5 ? signed : mutator.changeBytes(frame)
    checkAnswer(report, input, await post(agent, `${gateway.url}/v1/bridge/sessions`, input))
  }

  async function lane() {
    let session
    while (left-- > 0 && !progress.isOver()) {
      progress.done++
      if (mutator.random() < handshakeShare) {
        await wrongHandshake()
        continue
      }
      session ??= await openRawBridge(gateway.url, credential).catch(error => void report('handshake', String(error)))
      if (session === undefined) continue
      const input = bodyOf(mutator, session)
      const answer = await post(agent, session.url, input)
      checkAnswer(report, input, answer)
      if (answer.status !== 200) session = undefined
      else session.ack += answer.text.split('\n').filter(line => line.includes('"seq":')).length
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  agent.destroy()
}
