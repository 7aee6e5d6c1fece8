import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Transport } from '../session/transport.js'

/** How long a peer has to answer a close frame before its connection is cut, in milliseconds. */
export const closeTimeoutMs = 2000

/** RFC 6455 §5.5: a close frame's payload has at most 125 bytes, two of them the code. Our reasons are code names. */
const maxReasonBytes = 123

/** RFC 6455 §5.2: a whole text message in one frame. */
const textFrame = 0x81
const maxBytesIn7Bits = 125
const bytesIn16Bits = 126
const bytesIn64Bits = 127
const maxBytesIn16Bits = 0xffff

/** The head of an unmasked text frame, one character a byte. Messages are far below 2^32 bytes. */
function frameHead(bytes: number): string {
  if (bytes <= maxBytesIn7Bits) return String.fromCharCode(textFrame, bytes)
  if (bytes <= maxBytesIn16Bits) return String.fromCharCode(textFrame, bytesIn16Bits, bytes >> 8, bytes & 0xff)
  const low = [bytes >>> 24, (bytes >>> 16) & 0xff, (bytes >>> 8) & 0xff, bytes & 0xff]
  return String.fromCharCode(textFrame, bytesIn64Bits, 0, 0, 0, 0, ...low)
}

// Frames of one tick to one socket leave in one write: each socket is corked with its first, and all are uncorked when
// the tick's own work is done.
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
 * A WebSocket as a session's transport. Frames go straight to the TCP socket: with deflate off ws writes its own at once
 * as well, so their order holds, and a publication to thousands makes no object per socket.
 */
export function createWsTransport(socket: WebSocket, tcp: Socket): Transport {
  let waitingFrames = 0
  const left = () => {
    waitingFrames--
  }

  return {
    name: 'ws',
    get bufferedBytes() {
      return tcp.writableLength
    },
    get bufferedFrames() {
      return waitingFrames
    },
    send(frame) {
      if (socket.readyState !== socket.OPEN) return
      if (tcp.writableCorked === 0) cork(tcp)
      waitingFrames++
      const bytes = Buffer.byteLength(frame)
      // ASCII, which most frames are, leaves as it is in memory, head and all.
      if (bytes === frame.length) tcp.write(frameHead(bytes) + frame, 'latin1', left)
      else {
        tcp.write(frameHead(bytes), 'latin1')
        tcp.write(frame, 'utf8', left)
      }
    },
    close(code, reason) {
      socket.close(code, reason.slice(0, maxReasonBytes))
    },
    pause: () => socket.pause(),
    resume: () => socket.resume()
  }
}
