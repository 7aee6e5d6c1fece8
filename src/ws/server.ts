import websocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { protocolName } from '../protocol/limits.js'
import type { ConnectedSessions } from '../session/connected-sessions.js'
import type { Connection } from '../session/connection.js'
import { closeTimeoutMs } from './transport.js'

/** The WebSocket server behind `GET /v1/ws`: its bounds, and its end. */

/** Parts of one message. */
const maxFragments = 256
/** Frames that ws may hold decoded for one socket. */
const maxBufferedChunks = 4096
/** Time for last words to leave before sockets are cut, in milliseconds. */
const lastWordsMs = 1000
const lookEveryMs = 20

export interface WsServerOptions {
  readonly sessions: ConnectedSessions
  readonly frameBytes: number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Connections without a session yet. */
    waitingConnections: Set<Connection>
  }
}

async function wsServer(app: FastifyInstance, { sessions, frameBytes }: WsServerOptions): Promise<void> {
  const waiting = new Set<Connection>()
  app.decorate('waitingConnections', waiting)

  /** Says DRAINING to everyone and waits a moment for it to leave; a stop takes a second, whoever does not answer. */
  async function preClose(): Promise<void> {
    for (const connection of waiting) connection.refuse('DRAINING')
    for (const session of sessions.values()) session.end('DRAINING')
    const { clients } = app.websocketServer
    const until = performance.now() + lastWordsMs
    while (clients.size > 0 && performance.now() < until) {
      await new Promise(resolve => setTimeout(resolve, lookEveryMs))
    }
    for (const client of clients) client.terminate()
    await new Promise<void>(resolve => app.websocketServer.close(() => resolve()))
  }

  // A variable, since @types/ws lacks the newer bounds.
  const options = {
    maxPayload: frameBytes,
    perMessageDeflate: false,
    closeTimeout: closeTimeoutMs,
    maxFragments,
    maxBufferedChunks,
    handleProtocols: (offered: Set<string>) => (offered.has(protocolName) ? protocolName : false)
  }
  await app.register(websocket, {
    options,
    // An oversized message, broken UTF-8, a wrong RSV bit: ws closes with 1009, 1007 or 1002 by itself.
    errorHandler: (error, _socket, request) => request.log.info({ err: error }, 'a socket failed'),
    preClose
  })
}

export default fp(wsServer, { name: 'countersign-ws-server', fastify: '5.x' })
