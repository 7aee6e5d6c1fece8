import WebSocket from 'ws'
import { protocolName } from '../protocol/limits.js'
import type { OpenSocket } from './socket.js'

/** Longest wait for the WebSocket handshake, in milliseconds. */
const connectTimeoutMs = 10_000
/** Longest message that is accepted, in bytes. */
const maxPayload = 1_048_576

export const openNodeSocket: OpenSocket = (url, { onMessage, onClose }) => {
  const socket = new WebSocket(url, protocolName, {
    handshakeTimeout: connectTimeoutMs,
    maxPayload,
    perMessageDeflate: false
  })
  socket.on('message', (data, isBinary) => {
    if (!isBinary && data instanceof Uint8Array) onMessage(data)
  })
  socket.on('close', onClose)
  socket.on('error', () => {}) // `close` follows
  return {
    send: text => socket.send(text),
    close: (code, reason) => socket.close(code, reason)
  }
}
