import { protocolName } from '../protocol/limits.js'
import { utf8 } from '../protocol/mac.js'
import type { OpenSocket } from './socket.js'

export const openBrowserSocket: OpenSocket = (url, { onMessage, onClose }) => {
  const socket = new WebSocket(url, protocolName)
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') onMessage(utf8(data))
  }
  socket.onclose = ({ code }) => onClose(code)
  return {
    send: text => socket.send(text),
    close: (code, reason) => socket.close(code, reason)
  }
}
