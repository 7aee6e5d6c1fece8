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

// Frames sent to one socket in the same tick leave in one write: the first frame corks the socket, and all sockets are
// uncorked at the end of the tick.
let corked: Socket[] = []

function uncorkAll(): void {
  const sockets = corked
  corked = []
  for (const socket of sockets) socket.uncork()
}

function cork(socket: Socket): void {
  if (corked.length === 0) process.nextTick(uncorkAll)
  corked.push(socket)
  socket.cork()
}

/**
 * The transport of a session over a WebSocket. Frames bypass ws and go straight to the TCP socket, so a publication to
 * thousands of sockets allocates nothing per socket. With deflate off ws writes its own frames synchronously, too, so the
 * order is kept.
 */
export function createWsTransport(socket: WebSocket, tcp: Socket): Transport {
  let pendingFrames = 0
  const onFlushed = () => {
    pendingFrames--
  }

  return {
    name: 'ws',
    get bufferedBytes() {
      return tcp.writableLength
    },
    get bufferedFrames() {
      return pendingFrames
    },
    send(frame) {
      if (socket.readyState !== socket.OPEN) return
      if (tcp.writableCorked === 0) cork(tcp)
      pendingFrames++
      const bytes = Buffer.byteLength(frame)
      // Most frames are ASCII: latin1 copies them as they are in memory, together with the header.
      if (bytes === frame.length) tcp.write(frameHeader(bytes) + frame, 'latin1', onFlushed)
      else {
        tcp.write(frameHeader(bytes), 'latin1')
        tcp.write(frame, 'utf8', onFlushed)
      }
    },
    close(code, reason) {
      socket.close(code, reason.slice(0, maxReasonBytes))
    },
    pause: () => socket.pause(),
    resume: () => socket.resume()
  }
}
