import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { pause } from '../helper/processes.mjs'
import { LostError } from './network.mjs'

/**
 * A client of the bridge, written from PROTOCOL §9 on the built protocol module. It holds one poll and sends beside it,
 * repeats what has no answer, and keeps its session: where another client would open a new one, this one has failed.
 */

const holdSeconds = 10
const senders = 2
/** An exchange answers its messages within 5 s (PROTOCOL §9.4 d). */
const answerMs = 8_000
const backoffMs = 250
/** Frames kept, to check that a repeated one is identical. */
const keptFrames = 4_096
const depth = 34

const protocolOf = name => import(new URL(`../../dist/protocol/${name}.js`, import.meta.url).href)

/**
 * @param onCall  absent: the client expects no calls
 * @param send a request and its answer over the network: (path, body, timeoutMs) → { status, body }
 */
export async function openBridge({ send, random, credential, onPublication, onCall, onFailure }) {
  const { deriveSession, signChallenge } = await protocolOf('handshake')
  const { createNodeMac } = await protocolOf('mac-node')
  const { signMessage, verifyFrame, parseMessage } = await protocolOf('frame')
  const { clientId, keyId, secret } = credential

  const counts = {
    exchanges: 0,
    failed: 0,
    outOfSequence: 0,
    superseded: 0,
    holes: 0,
    repeated: 0,
    answered: 0,
    spare: 0
  }
  /** By seq, in order: messages without an answer. */
  const open = new Map()
  /** By seq: frames as received. */
  const seen = new Map()
  const news = new EventTarget()
  let signer
  let verifier
  let path
  let limits
  let poll = 0
  let signed = 1
  let got = 1
  let isOver = false

  const verified = line => parseMessage(verifyFrame(verifier, Buffer.from(line), depth))
  const fail = what => onFailure(`bridge: ${what}`)
  const backoff = () => pause(random() * backoffMs)

  /** @throws if a part of it is lost. A challenge is valid once, so the caller starts again. */
  async function shakeHands() {
    const challenge = JSON.parse((await send('/v1/bridge/challenge', '', answerMs)).body.toString())
    const { challengeToken } = challenge
    const clientNonce = randomBytes(24).toString('base64url')
    const keys = deriveSession(createNodeMac, secret, challengeToken, clientNonce)
    signer = createNodeMac(keys.clientKey)
    verifier = createNodeMac(keys.serverKey)
    const { challengeSignature } = keys
    const proof = { clientId, keyId, challengeToken, challengeSignature, clientNonce }
    const authenticate = signMessage(signer, { type: 'authenticate', seq: 1, protocol: 'countersign.v1', ...proof })
    const { status, body } = await send('/v1/bridge/sessions', authenticate, answerMs)
    if (status !== 201) throw new Error(`${status} ${body}`)
    return verified(body.toString().trim())
  }

  async function exchange(messages, wait) {
    const number = ++poll
    const lines = [
      ...messages.map(({ frame }) => frame),
      signMessage(signer, { type: 'poll', poll: number, ack: got, wait })
    ]
    counts.exchanges++
    for (const message of messages) message.flying++
    try {
      const { status, body } = await send(path, `${lines.join('\n')}\n`, wait * 1000 + answerMs)
      return status === 200 ? applyAnswer(body.toString(), number) : applyRefusal(status, body.toString(), number)
    } catch (error) {
      counts.failed++
      if (!(error instanceof LostError)) fail(error.message)
      return undefined
    } finally {
      for (const message of messages) message.flying--
    }
  }

  function applyAnswer(text, number) {
    const lines = text.split('\n').filter(line => line !== '')
    const messages = lines.map(verified)
    const polled = messages.pop()
    if (polled?.type !== 'polled' || polled.re !== number) throw new Error('no polled of its own at the end')
    if (polled.superseded) counts.superseded++
    for (const [index, { seq }] of messages.entries()) {
      // Only processed frames are acknowledged, so an answer of a correct gateway has no hole.
      if (seq === messages[0].seq + index && messages[0].seq <= got + 1) continue
      counts.holes++
      throw new Error('a hole')
    }
    for (const [index, message] of messages.entries()) applyFrame(message, lines[index])
    return polled
  }

  function applyFrame(message, line) {
    const { seq } = message
    if (seq <= got) {
      counts.repeated++
      if (seen.has(seq) && seen.get(seq) !== line) fail(`seq ${seq} is not repeated byte for byte`)
      return
    }
    got = seq
    seen.set(seq, line)
    seen.delete(seq - keptFrames)
    if (message.re !== undefined) applyReply(message)
    else if (message.type === 'publication') onPublication(message)
    else if (message.type === 'call' && onCall !== undefined) onCall(message)
    else if (message.type === 'challenge') answerChallenge(message)
    else fail(`did not expect ${line}`)
  }

  function applyReply(message) {
    const asked = open.get(message.re)
    if (asked === undefined) {
      counts.spare++
      return fail(`a second answer to ${message.re}`)
    }
    open.delete(message.re)
    counts.answered++
    news.dispatchEvent(new Event('capacity'))
    asked.resolve(message)
  }

  function answerChallenge({ challengeToken }) {
    const challengeSignature = signChallenge(createNodeMac, secret, challengeToken)
    request({ type: 'challengeResponse', challengeToken, challengeSignature }).then(({ type }) => {
      if (type !== 'ack') fail(`a challenge response is answered by ${type}`)
    })
  }

  function applyRefusal(status, text, number) {
    counts.failed++
    if (status === 409) {
      const { poll: bound, code } = verified(text.trim())
      if (bound === number && code === 'SEQUENCE_INVALID') counts.outOfSequence++
      else fail(`409 ${text}`)
    } else if (status !== 429 && status !== 503) fail(`${status} ${text}`)
    return undefined
  }

  /** Messages that are in no exchange, from the first: consecutive seqs, at most as many as an exchange may hold. */
  function nextBatch() {
    const batch = []
    let bytes = 0
    for (const message of open.values()) {
      const isFlying = message.flying > 0
      if (batch.length > 0 && (isFlying || message.seq !== batch.at(-1).seq + 1)) break
      bytes += message.frame.length + 1
      if (batch.length === limits.batchFrames || bytes > limits.batchBytes - 1024) break
      if (!isFlying) batch.push(message)
    }
    return batch
  }

  async function sendAll() {
    while (!isOver) {
      const batch = nextBatch()
      if (batch.length === 0) {
        await once(news, 'more')
        continue
      }
      await exchange(batch, 0)
      if (batch.some(({ seq }) => open.has(seq))) await backoff()
    }
  }

  async function hold() {
    while (!isOver) {
      const polled = await exchange([], holdSeconds)
      if (polled === undefined) await backoff()
    }
  }

  /** Sends a message. @returns its answer */
  function request({ type, ...members }) {
    const seq = ++signed
    return new Promise(resolve => {
      open.set(seq, { seq, frame: signMessage(signer, { type, seq, ...members }), flying: 0, resolve })
      news.dispatchEvent(new Event('more'))
    })
  }

  /** Waits until at most this many messages have no answer. */
  async function untilOpenAtMost(most) {
    while (open.size > most) await once(news, 'capacity')
  }

  for (let tries = 0; path === undefined; tries++) {
    try {
      const welcome = await shakeHands()
      limits = welcome.limits
      path = `/v1/bridge/sessions/${welcome.sessionId}/exchange`
    } catch (error) {
      if (tries === 50) throw error
      await backoff()
    }
  }
  for (const loop of [hold, ...Array.from({ length: senders }, () => sendAll)]) loop().catch(error => fail(error.stack))
  return {
    sessionId: path.split('/').at(-2),
    request,
    untilOpenAtMost,
    counts,
    close() {
      isOver = true
      news.dispatchEvent(new Event('more'))
    }
  }
}
