import WebSocket from 'ws'
import { protocolName } from '../protocol/limits.js'
import { codeOf } from './network-cause.js'
import { closeReason, type OpenSocket } from './socket.js'

/** Longest wait for the WebSocket handshake, in milliseconds. */
const connectTimeoutMs = 10_000
/** Longest accepted message, in bytes. */
const maxPayload = 1_048_576

/** The usual cause. */
const hints: Readonly<Record<string, string>> = {
  'Unexpected server response: 404': 'the path of a gateway is /v1/ws',
  EPROTO: 'it may have no TLS, which wss:// needs'
}

/** `ECONNREFUSED`, or the words of ws such as `Unexpected server response: 403`. */
function causeOf(error: Error): string {
  const cause = codeOf(error) ?? error.message
  const hint = hints[cause]
  return hint === undefined ? cause : `${cause} (${hint})`
}

export const openNodeSocket: OpenSocket = (url, { onMessage, onClose }) => {
  const socket = new WebSocket(url, protocolName, {
    handshakeTimeout: connectTimeoutMs,
    maxPayload,
    perMessageDeflate: false
  })
  let wasOpen = false
  let fault: Error | undefined
  socket.on('open', () => {
    wasOpen = true
  })
  socket.on('message', (data, isBinary) => {
    if (!isBinary && data instanceof Uint8Array) onMessage(data)
  })
  socket.on('error', error => {
    fault = error
  })
  socket.on('close', (code, reason) => {
    if (wasOpen || fault === undefined) onClose(closeReason(code, reason.toString()))
    else onClose(`the gateway cannot be reached: ${causeOf(fault)}`)
  })
  return {
    send: text => socket.send(text),
    close: (code, reason) => socket.close(code, reason)
  }
}
