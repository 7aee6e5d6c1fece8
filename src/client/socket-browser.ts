import { protocolName } from '../protocol/limits.js'
import { closeReason, type OpenSocket } from './socket.js'

/** A page learns only that a connection was refused, not why. */
function unreachable(): string {
  if (navigator.onLine === false) return 'the gateway cannot be reached: this device is offline'
  const { origin } = location
  return `the gateway cannot be reached: is it running, and does its COUNTERSIGN_ALLOWED_ORIGINS allow ${origin}?`
}

export const openBrowserSocket: OpenSocket = (url, { onMessage, onClose }) => {
  // Without WebSocket, as in Jest's jsdom, the attempt fails with this reason.
  const encoder = new TextEncoder()
  const socket = new WebSocket(url, protocolName)
  let wasOpen = false
  socket.onopen = () => {
    wasOpen = true
  }
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') onMessage(encoder.encode(data))
  }
  socket.onclose = ({ code, reason }) => onClose(wasOpen ? closeReason(code, reason) : unreachable())
  return {
    send: text => socket.send(text),
    close: (code, reason) => socket.close(code, reason)
  }
}
