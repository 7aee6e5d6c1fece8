import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Test } from 'tap'
import WebSocket from 'ws'

/**
 * A client for tests that can also violate the protocol. It is written from PROTOCOL.md with node:crypto, independent of
 * the code under test, and keeps every frame that arrives.
 */

/** Longest wait for anything. It only bounds a test that would fail anyway. */
export const patienceMs = 30_000

export type Message = { type: string; [member: string]: unknown }

export interface Wire {
  readonly socket: WebSocket
  readonly challengeToken: string
  /** Keys of the session, after `authenticate`. */
  keys: { client: Buffer; server: Buffer }
  /** The next seq upstream. */
  seq: number
  /** Signs the text of a message with the client key. */
  sign(message: object, key?: Buffer): string
  /** Sends bytes or text as they are. */
  raw(frame: string | Buffer): void
  /** Sends a message with the next seq. @returns its seq */
  send(message: Message): number
  /** The authenticate frame of a credential; `change` may alter it before it is signed. */
  authenticateFrame(
    credential: { clientId: string; keyId?: string; secret: string },
    change?: (message: Message) => object
  ): string
  authenticate(credential: { clientId: string; keyId?: string; secret: string }): void
  /** The next frame, verified and in sequence. @throws if it has another type */
  next(type?: string): Promise<Message>
  /** The next frame as text. */
  nextText(): Promise<string>
  /** Sends, then waits for the answer. */
  ask(message: Message): Promise<Message>
  /** The close code and reason, whether or not earlier frames were read. */
  closed(): Promise<{ code: number; reason: string }>
}

export function hmac(key: string | Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex')
}

export function signText(key: string | Buffer, body: string): string {
  return `${body.slice(0, -1)},"signature":"${hmac(key, body)}"}`
}

function hmacBytes(key: string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

interface TestCredential {
  readonly clientId: string
  readonly keyId?: string
  readonly secret: string
}

/** The authenticate frame of a credential (PROTOCOL §4.2). Sets the keys of the wire. */
export function authenticateText(
  wire: Pick<Wire, 'challengeToken' | 'keys' | 'sign'>,
  { clientId, keyId, secret }: TestCredential,
  change: (message: Message) => object = message => message
): string {
  const clientNonce = randomBytes(24).toString('base64url')
  const tail = `${wire.challengeToken}:${clientNonce}`
  wire.keys = {
    client: hmacBytes(secret, `countersign.v1:client:${tail}`),
    server: hmacBytes(secret, `countersign.v1:server:${tail}`)
  }
  const message = {
    ...{ type: 'authenticate', seq: 1, protocol: 'countersign.v1', clientId },
    ...(keyId === undefined ? {} : { keyId }),
    challengeToken: wire.challengeToken,
    challengeSignature: hmac(secret, wire.challengeToken),
    clientNonce
  }
  return wire.sign(change(message))
}

export async function connectWire(t: Test, url: string, options: WebSocket.ClientOptions = {}): Promise<Wire> {
  const socket = new WebSocket(url, 'countersign.v1', options)
  const frames: string[] = []
  const arrived = { notify: () => {} }
  socket.on('message', data => {
    frames.push(String(data))
    arrived.notify()
  })
  const end = once(socket, 'close', { signal: AbortSignal.timeout(patienceMs * 2) })
  end.catch(() => {})
  socket.on('close', () => arrived.notify())
  socket.on('error', () => {})
  t.teardown(() => socket.terminate())
  let received = 0

  async function nextText(): Promise<string> {
    const signal = AbortSignal.timeout(patienceMs)
    while (frames.length === 0) {
      if (socket.readyState === WebSocket.CLOSED) throw new Error('the socket closed before a frame arrived')
      await new Promise<void>((resolve, reject) => {
        arrived.notify = resolve
        signal.addEventListener('abort', () => reject(new Error('no frame arrived in time')), { once: true })
      })
    }
    return frames.shift() ?? ''
  }

  const challenge = JSON.parse(await nextText())
  const wire: Wire = {
    socket,
    challengeToken: challenge.challengeToken,
    keys: { client: Buffer.alloc(0), server: Buffer.alloc(0) },
    seq: 1,
    sign: (message, key = wire.keys.client) => signText(key, JSON.stringify(message)),
    raw: frame => socket.send(frame),
    send({ type, ...members }) {
      const { seq } = wire
      wire.seq++
      socket.send(wire.sign({ type, seq, ...members }))
      return seq
    },
    authenticateFrame: (credential, change) => authenticateText(wire, credential, change),
    authenticate(credential) {
      wire.raw(wire.authenticateFrame(credential))
      wire.seq = 2
    },
    nextText,
    async next(type) {
      const text = await nextText()
      const signature = text.slice(-66, -2)
      if (hmac(wire.keys.server, `${text.slice(0, -80)}}`) !== signature) throw new Error(`not signed: ${text}`)
      const message: Message = JSON.parse(text)
      if (message['seq'] !== ++received) throw new Error(`out of sequence: ${text}`)
      // A silent client is pinged; only the tests of that ask for it.
      if (message.type === 'ping' && type !== 'ping') return wire.next(type)
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
      const [code, reason] = await end
      return { code, reason: String(reason) }
    }
  }
  return wire
}
