import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Transport } from '../session/transport.js'

/** Time for a peer to answer a close frame before its connection is cut, in milliseconds. */
export const closeTimeoutMs = 2000

/** RFC 6455 §5.5: a close frame's payload has at most 125 bytes, two of them for the code. Reasons are code names. */
const maxReasonBytes = 123

/** RFC 6455 §5.2: a whole text message in one frame. */
const textFrame = 0x81
const maxBytesIn7Bits = 125
const bytesIn16Bits = 126
const bytesIn64Bits = 127
const maxBytesIn16Bits = 0xffff

/** The header of an unmasked text frame, one character per byte. Messages are far smaller than 2^32 bytes. */
function frameHeader(bytes: number): string {
  if (bytes <= maxBytesIn7Bits) return String.fromCharCode(textFrame, bytes)
  if (bytes <= maxBytesIn16Bits) return String.fromCharCode(textFrame, bytesIn16Bits, bytes >> 8, bytes & 0xff)
  const low = [bytes >>> 24, (bytes >>> 16) & 0xff, (bytes >>> 8) & 0xff, bytes & 0xff]
  return String.fromCharCode(textFrame, bytesIn64Bits, 0, 0, 0, 0, ...low)
}

/** A write that the network has not accepted as a whole. */
interface UnsentWrite {
  readonly frames: number
  /** Bytes written to the connection up to the end of this write. */
  readonly endsAt: number
}

/**
 * The transport of a session over a WebSocket. Frames bypass ws and go straight to the TCP socket; those of one tick
 * leave in one write. Without deflate ws writes its own frames synchronously, too, so the order is kept.
 */
class WsTransport implements Transport {
  readonly name = 'ws'
  readonly #socket: WebSocket
  readonly #tcp: Socket
  /** The frames of this tick, one character per byte: most frames are ASCII, so they are copied as they are in memory. */
  #queued = ''
  #queuedFrames = 0
  #writtenBytes = 0
  #unsent: UnsentWrite[] = []

  constructor(socket: WebSocket, tcp: Socket) {
    this.#socket = socket
    this.#tcp = tcp
  }

  get bufferedBytes(): number {
    return this.#tcp.writableLength + this.#queued.length
  }

  get bufferedFrames(): number {
    if (this.#unsent.length > 0) this.#dropSent()
    return this.#unsent.reduce((sum, { frames }) => sum + frames, this.#queuedFrames)
  }

  send(frame: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (this.#queuedFrames === 0) flushLater(this)
    const bytes = Buffer.byteLength(frame)
    const payload = bytes === frame.length ? frame : Buffer.from(frame).toString('latin1')
    this.#queued += frameHeader(bytes) + payload
    this.#queuedFrames++
  }

  /** Writes the frames of this tick. */
  flush(): void {
    const [text, frames] = [this.#queued, this.#queuedFrames]
    this.#queued = ''
    this.#queuedFrames = 0
    // A peer that sent its close frame in this tick was answered with one: no frame may follow.
    if (frames === 0 || this.#socket.readyState !== this.#socket.OPEN) return
    this.#writtenBytes += text.length
    this.#tcp.write(text, 'latin1')
    if (this.#tcp.writableLength > 0) this.#unsent.push({ frames, endsAt: this.#writtenBytes })
  }

  /**
   * Forgets the writes that the network has accepted. Bytes that ws wrote itself make them seem later than they are,
   * never earlier.
   */
  #dropSent(): void {
    const sentBytes = this.#writtenBytes - this.#tcp.writableLength
    const left = this.#unsent.findIndex(({ endsAt }) => endsAt > sentBytes)
    this.#unsent = left < 0 ? [] : this.#unsent.slice(left)
  }

  close(code: number, reason: string): void {
    this.flush()
    this.#socket.close(code, reason.slice(0, maxReasonBytes))
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }
}

let unflushed: WsTransport[] = []

function flushAll(): void {
  const transports = unflushed
  unflushed = []
  for (const transport of transports) transport.flush()
}

/** Flushes a transport at the end of this tick. */
function flushLater(transport: WsTransport): void {
  if (unflushed.length === 0) process.nextTick(flushAll)
  unflushed.push(transport)
}

export function createWsTransport(socket: WebSocket, tcp: Socket): Transport {
  return new WsTransport(socket, tcp)
}
