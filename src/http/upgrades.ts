import { EventEmitter } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { hasOpenRequests } from './request-tracker.js'

/** Headers of the connection, dropped from a request that is served without its upgrade. */
const droppedHeaders: ReadonlySet<string> = new Set(['upgrade', 'connection', 'http2-settings'])

function isWebSocketUpgrade({ headers, method }: IncomingMessage): boolean {
  const offered = headers.upgrade?.split(',') ?? []
  return method === 'GET' && offered.some(token => token.trim().toLowerCase() === 'websocket')
}

/** The head of a request as sent, without its upgrade offer, and marked as the last one of its socket. */
function headWithoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = [rawHeaders[i], rawHeaders[i + 1]]
    if (!droppedHeaders.has(name.toLowerCase())) lines.push(`${name}: ${value}`)
  }
  return `${lines.join('\r\n')}\r\nconnection: close\r\n\r\n`
}

/** Sockets whose last request is served without its upgrade. */
const isLast = new WeakSet<Duplex>()

/**
 * Node stops parsing a socket whose request offers any upgrade. A server may ignore the offer (RFC 9110 §7.8), so a
 * request for another protocol than WebSocket goes back to the server without it. The server parses the socket as a new
 * one and does not know of earlier requests, so the request must be the only open one, and the last.
 */
function serveWithoutUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  if (isLast.has(socket) || hasOpenRequests(request.socket)) {
    socket.destroy()
    return
  }
  isLast.add(socket)
  socket.unshift(Buffer.concat([Buffer.from(headWithoutUpgrade(request), 'latin1'), head]))
  server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket)
}

/**
 * Separates WebSocket upgrades from all others.
 * @param prepare  receives each WebSocket upgrade first
 * @returns an emitter of `upgrade`, like a server, for WebSockets only
 */
export function separateUpgrades(server: Server, prepare?: (request: IncomingMessage) => void): EventEmitter {
  const webSockets = new EventEmitter()
  server.on('upgrade', (request, socket, head) => {
    if (isWebSocketUpgrade(request)) {
      prepare?.(request)
      // A copy: the socket keeps it, and `head` would keep the whole chunk of the request alive.
      webSockets.emit('upgrade', request, socket, Buffer.from(head))
    } else serveWithoutUpgrade(server, request, socket, head)
  })
  return webSockets
}
