import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Transport } from '../session/transport.js'

/** How long a peer has to answer a close frame before its connection is cut, in milliseconds. */
export const closeTimeoutMs = 2000

/** RFC 6455 §5.5: a close frame's payload has at most 125 bytes, two of them the code. Our reasons are code names. */
const maxReasonBytes = 123

/**
 * A WebSocket as a session's transport. Frames of one tick leave in one write: the TCP socket is corked with the first
 * and uncorked when the tick's own work is done.
 */
export function createWsTransport(socket: WebSocket, tcp: Socket): Transport {
  let corked = false
  let waitingFrames = 0
  const left = () => {
    waitingFrames--
  }

  function cork(): void {
    if (corked) return
    corked = true
    tcp.cork()
    process.nextTick(() => {
      corked = false
      tcp.uncork()
    })
  }

  return {
    name: 'ws',
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    get bufferedFrames() {
      return waitingFrames
    },
    send(frame) {
      if (socket.readyState !== socket.OPEN) return
      cork()
      waitingFrames++
      socket.send(frame, left)
    },
    close(code, reason) {
      socket.close(code, reason.slice(0, maxReasonBytes))
    },
    pause: () => socket.pause(),
    resume: () => socket.resume()
  }
}
