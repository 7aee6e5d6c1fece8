import { createHmac, randomBytes } from 'node:crypto'
import { connect as connectHttp2 } from 'node:http2'
import { Agent, request as requestHttps } from 'node:https'
import { pause } from '../helper/processes.mjs'

/** A client of the bridge (PROTOCOL §9) over HTTP/1.1 and HTTP/2, which repeats what was lost. */

const insecure = { rejectUnauthorized: false }
const answerMs = 40_000
const goOnMs = 30_000
const betweenTriesMs = 50
const mac = (key, text) => createHmac('sha256', key).update(text).digest()
const sign = (key, message) => {
  const text = JSON.stringify(message)
  return `${text.slice(0, -1)},"signature":"${mac(key, text).toString('hex')}"}`
}

function verify(key, line) {
  const text = `${line.slice(0, -80)}}`
  if (line.slice(-80) !== `,"signature":"${mac(key, text).toString('hex')}"}`) throw new Error(`not signed: ${line}`)
  return JSON.parse(text)
}

/** Requests over persistent connections of HTTP/1.1. */
export function http1(port) {
  const agent = new Agent({ ...insecure, keepAlive: true })
  const post = (path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const options = { host: 'localhost', family: 4, port, path, method: 'POST', agent, headers, timeout: answerMs }
      const request = requestHttps(options, response => {
        let text = ''
        response.setEncoding('utf8').on('data', piece => {
          text += piece
        })
        response.once('error', reject)
        response.once('end', () => resolve({ status: response.statusCode, text }))
      })
      request.once('timeout', () => request.destroy(new Error('no answer')))
      request.once('error', reject).end(body)
    })
  return { name: 'HTTP/1.1', post, close: () => agent.destroy() }
}

/** Requests over one connection of HTTP/2, which is opened again when it ends. No request has a content-length. */
export function http2(port) {
  let session
  const post = (path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      if (session === undefined || session.closed || session.destroyed) {
        session = connectHttp2(`https://localhost:${port}`, insecure).on('error', () => {})
      }
      const stream = session.request({ ':method': 'POST', ':path': path, ...headers }, { endStream: false })
      let status
      let text = ''
      stream.setTimeout(answerMs, () => stream.destroy(new Error('no answer')))
      stream.setEncoding('utf8').on('data', piece => {
        text += piece
      })
      stream.once('response', answer => {
        status = answer[':status']
      })
      stream.once('error', reject)
      stream.once('close', () => (status === undefined ? reject(new Error('no answer')) : resolve({ status, text })))
      stream.end(body)
    })
  return { name: 'HTTP/2', post, close: () => session?.destroy() }
}

/** The gateway refused, and a repeat would not help. */
class Refused extends Error {}

async function again(work) {
  for (const deadline = Date.now() + goOnMs; ; await pause(betweenTriesMs)) {
    try {
      return await work()
    } catch (error) {
      if (error instanceof Refused || Date.now() > deadline) throw error
    }
  }
}

/** Opens a session. Its two requests may reach different instances. */
export async function openBridge(way, { clientId, keyId, secret }) {
  const challenge = await way.post('/v1/bridge/challenge')
  if (challenge.status !== 200) throw new Refused(`challenge: ${challenge.status} ${challenge.text}`)
  const { challengeToken } = JSON.parse(challenge.text)
  const clientNonce = randomBytes(24).toString('base64url')
  const [clientKey, serverKey] = ['client', 'server'].map(side =>
    mac(secret, `countersign.v1:${side}:${challengeToken}:${clientNonce}`)
  )
  const authenticate = {
    ...{ type: 'authenticate', seq: 1, protocol: 'countersign.v1', clientId, keyId, challengeToken, clientNonce },
    challengeSignature: mac(secret, challengeToken).toString('hex')
  }
  const opened = await way.post('/v1/bridge/sessions', sign(clientKey, authenticate))
  if (opened.status !== 201) throw new Refused(`sessions: ${opened.status} ${opened.text}`)
  const { sessionId } = verify(serverKey, opened.text.trimEnd())

  let seq = 1
  let poll = 0
  const session = {
    sessionId,
    /** The highest seq received. */
    received: 1,
    /** All frames received, each once, in order. */
    frames: [],
    /** Exchanges that were repeated. */
    repeats: 0,
    sign: ({ type, ...members }) => sign(clientKey, { type, seq: ++seq, ...members }),
    exchange,
    /** Sends again what was lost or refused for now: the same bytes with a new poll (§9.5). */
    carryOn: (lines, wait = 0) =>
      again(() =>
        exchange(lines, wait).catch(error => {
          session.repeats++
          throw error
        })
      )
  }

  async function exchange(lines = [], wait = 0) {
    const re = ++poll
    const body = [...lines, sign(clientKey, { type: 'poll', poll: re, ack: session.received, wait })].join('\n')
    const { status, text } = await way.post(`/v1/bridge/sessions/${sessionId}/exchange`, body)
    if ([429, 502, 503, 504].includes(status)) throw new Error(`not now: ${status} ${text}`)
    if (status !== 200) throw new Refused(`exchange: ${status} ${text}`)
    const frames = text
      .trimEnd()
      .split('\n')
      .map(line => verify(serverKey, line))
    const polled = frames.pop()
    if (polled?.type !== 'polled' || polled.re !== re) throw new Error('not the answer to this poll')
    for (const frame of frames) {
      if (frame.seq <= session.received) continue
      if (frame.seq !== session.received + 1) throw new Error('a hole')
      session.received = frame.seq
      session.frames.push(frame)
    }
    return polled
  }
  return session
}
