import type { Server } from 'node:http'
import websocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { webSocketUpgradesOf } from '../http/node-server.js'
import { protocolName } from '../protocol/limits.js'
import type { ConnectedSessions } from '../session/connected-sessions.js'
import type { Connection } from '../session/connection.js'
import { closeTimeoutMs } from './transport.js'

/** The WebSocket server behind `GET /v1/ws`: its limits and its shutdown. */

/** Most fragments of one message. */
const maxFragments = 256
/** Most decoded frames that ws buffers per socket. */
const maxBufferedChunks = 4096
/**
 * Time for peers to answer the close before their sockets are cut, in milliseconds: longer than the timeout of ws for
 * each.
 */
const closeGraceMs = closeTimeoutMs + 1000
/** Interval between checks whether all sockets have closed, in milliseconds. */
const pollMs = 20

export interface WsServerOptions {
  readonly sessions: ConnectedSessions
  readonly frameBytes: number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Connections that have not completed their handshake. */
    waitingConnections: Set<Connection>
  }
}

async function wsServer(app: FastifyInstance, { sessions, frameBytes }: WsServerOptions): Promise<void> {
  const waiting = new Set<Connection>()
  app.decorate('waitingConnections', waiting)

  /** Sends DRAINING to every peer, and waits at most {@link closeGraceMs} until their sockets are closed. */
  async function preClose(): Promise<void> {
    for (const connection of waiting) connection.refuse('DRAINING')
    for (const session of sessions.values()) session.end('DRAINING')
    const { clients } = app.websocketServer
    const until = performance.now() + closeGraceMs
    while (clients.size > 0 && performance.now() < until) {
      await new Promise(resolve => setTimeout(resolve, pollMs))
    }
    for (const client of clients) client.terminate()
    await new Promise<void>(resolve => app.websocketServer.close(() => resolve()))
  }

  // A variable, because @types/ws lacks the newer options.
  const options = {
    // The plugin only listens to its `upgrade` event.
    server: webSocketUpgradesOf(app.server) as Server,
    maxPayload: frameBytes,
    perMessageDeflate: false,
    closeTimeout: closeTimeoutMs,
    maxFragments,
    maxBufferedChunks,
    handleProtocols: (offered: Set<string>) => (offered.has(protocolName) ? protocolName : false)
  }
  await app.register(websocket, {
    options,
    // ws itself closes with 1009, 1007 or 1002 on an oversized message, invalid UTF-8 or a wrong RSV bit.
    errorHandler: (error, _socket, request) => request.log.info({ err: error }, 'socket failed'),
    preClose
  })
}

export default fp(wsServer, { name: 'countersign-ws-server', fastify: '5.x' })
