import { authenticateText, hmac, type Message, patienceMs, signText, type Wire } from './wire.js'

/**
 * A client of the bridge for tests, written from PROTOCOL.md §9, independent of the code under test. It never polls on its
 * own: an exchange happens when a test sends raw lines, or waits for a frame that has not arrived.
 */

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Its lines, parsed. */
  readonly frames: Message[]
  /** The last line, if it is a `polled`. */
  readonly polled: Message | undefined
}

export interface ExchangeOptions {
  readonly poll?: number
  readonly ack?: number
  readonly wait?: number
  /** Base URL of another instance. Default: the one that opened the session. */
  readonly url?: string
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

export interface BridgeWire extends Wire {
  readonly sessionId: string
  /** The next poll number. */
  poll: number
  /** The highest downstream seq that was received. */
  ack: number
  /** Sends lines as they are, then a poll, and applies the answer. */
  exchange(lines: readonly string[], options?: ExchangeOptions): Promise<Answer>
  /** Sends a body as it is. Its answer is not applied. */
  post(body: string | Uint8Array<ArrayBuffer>, options?: ExchangeOptions): Promise<Answer>
}

async function post(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  { headers = {}, signal }: ExchangeOptions = {}
): Promise<Answer> {
  const limit = AbortSignal.timeout(patienceMs)
  const answer = await fetch(url, {
    method: 'POST',
    headers,
    body,
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit])
  })
  const text = await answer.text()
  const lines = text.endsWith('\n') ? text.slice(0, -1).split('\n') : text === '' ? [] : [text]
  const frames = lines.map((line): Message => JSON.parse(line))
  const last = frames.at(-1)
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    frames,
    polled: last?.type === 'polled' ? last : undefined
  }
}

/** A client that has received its challenge. */
export async function connectBridge(base: string): Promise<BridgeWire> {
  const challenge = await post(`${base}/v1/bridge/challenge`, '')
  if (challenge.status !== 200) throw new Error(`no challenge: ${challenge.status} ${challenge.text}`)
  const texts: string[] = []
  const waiting: string[] = []
  let received = 0
  let end: { code: number; reason: string } | undefined

  function apply(answer: Answer): void {
    const lines = answer.text.trimEnd().split('\n')
    if (answer.status === 200) lines.pop()
    for (const line of lines) {
      if (line === '') continue
      const { seq, code } = JSON.parse(line)
      if (answer.status > 201) {
        end = { code: answer.status, reason: String(code) }
        texts.push(line)
      } else if (seq === wire.ack + 1) {
        wire.ack = seq
        texts.push(line)
      } else if (seq > wire.ack) throw new Error(`a hole in an answer: ${line}`)
    }
  }

  const wire: BridgeWire = {
    get socket(): never {
      throw new Error('there is no socket')
    },
    sessionId: '',
    poll: 1,
    ack: 0,
    challengeToken: String(challenge.frames[0]?.['challengeToken']),
    keys: { client: Buffer.alloc(0), server: Buffer.alloc(0) },
    seq: 1,
    sign: (message, key = wire.keys.client) => signText(key, JSON.stringify(message)),
    post: (body, options = {}) =>
      post(`${options.url ?? base}/v1/bridge/sessions/${wire.sessionId}/exchange`, body, options),
    async exchange(lines, options = {}) {
      const { poll = wire.poll++, ack = wire.ack, wait = 0 } = options
      const body = [...lines, wire.sign({ type: 'poll', poll, ack, wait })].join('\n')
      const answer = await wire.post(body, options)
      apply(answer)
      return answer
    },
    raw(frame) {
      waiting.push(String(frame))
    },
    send({ type, ...members }) {
      const { seq } = wire
      wire.seq++
      waiting.push(wire.sign({ type, seq, ...members }))
      return seq
    },
    authenticateFrame: (credential, change) => authenticateText(wire, credential, change),
    authenticate(credential) {
      wire.raw(wire.authenticateFrame(credential))
      wire.seq = 2
    },
    async nextText() {
      while (texts.length === 0) {
        if (wire.sessionId !== '') {
          const lines = waiting.splice(0, 64)
          await wire.exchange(lines, { wait: lines.length > 0 ? 0 : 25 })
          continue
        }
        const answer = await post(`${base}/v1/bridge/sessions`, waiting.shift() ?? '')
        apply(answer)
        if (answer.status === 201) Object.assign(wire, { sessionId: answer.frames[0]?.['sessionId'] })
      }
      return texts.shift() ?? ''
    },
    async next(type) {
      const text = await wire.nextText()
      const signature = text.slice(-66, -2)
      if (hmac(wire.keys.server, `${text.slice(0, -80)}}`) !== signature) throw new Error(`not signed: ${text}`)
      const message: Message = JSON.parse(text)
      if (message['seq'] !== undefined && message['seq'] !== ++received) throw new Error(`out of sequence: ${text}`)
      if (type !== undefined && message.type !== type) throw new Error(`expected ${type}: ${text}`)
      return message
    },
    async ask(message) {
      const re = wire.send(message)
      const answer = await wire.next()
      if (answer['re'] !== re) throw new Error(`answers another frame: ${JSON.stringify(answer)}`)
      return answer
    },
    async closed() {
      if (end === undefined) await wire.exchange([], { wait: 25 })
      if (end === undefined) throw new Error('the session has not ended')
      return end
    }
  }
  return wire
}
