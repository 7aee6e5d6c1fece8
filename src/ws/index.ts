import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RawData, WebSocket } from 'ws'
import { issueChallenge } from '../auth/handshake.js'
import type { HandshakeLimiter } from '../auth/handshake-limiter.js'
import { ApiError } from '../errors.js'
import { markVerified } from '../http/unverified-sockets.js'
import { closeUnsupportedData } from '../protocol/codes.js'
import { protocolName } from '../protocol/limits.js'
import type { DownstreamMessages } from '../protocol/messages.js'
import type { ConnectedSessions } from '../session/connected-sessions.js'
import { Connection, type ConnectionServices } from '../session/connection.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { createWsTransport } from './transport.js'

/** The WebSocket transport (PROTOCOL §8): `GET /v1/ws`. */

export interface WsOptions {
  readonly dependencies: SessionDependencies
  readonly sessions: ConnectedSessions
  readonly limiter: HandshakeLimiter
  /** Whether this instance is stopping. */
  readonly isDraining: () => boolean
}

interface Opening {
  readonly challenge: DownstreamMessages['challenge']
  /** Holds the socket until {@link open} receives it. */
  readonly response: ServerResponse
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Opens the socket of this request. */
    opening: Opening | undefined
  }
}

/** Refuses a connection before its upgrade. @throws ApiError */
function admit({ dependencies, limiter, isDraining }: WsOptions, request: FastifyRequest, reply: FastifyReply): void {
  if (isDraining()) throw new ApiError('DRAINING')
  const offered = request.headers['sec-websocket-protocol']
  if (offered !== undefined && !offered.split(',').some(each => each.trim() === protocolName)) {
    throw new ApiError('UNSUPPORTED_PROTOCOL')
  }
  if (dependencies.sessionCapacity.isFull) {
    throw new ApiError('UNAVAILABLE', 'this instance has no capacity for another session', { outcome: 'unsent' })
  }
  const waitMs = limiter.retryAfterMs(request.ip)
  if (waitMs > 0) {
    reply.header('retry-after', Math.ceil(waitMs / 1000))
    throw new ApiError('RATE_LIMITED', limiter.refusal)
  }
}

/** Issues the challenge before the upgrade: if the store is unavailable, the client gets a plain 503. */
async function prepare({ dependencies }: WsOptions, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (!request.ws) return
  request.opening = { challenge: await issueChallenge(dependencies, true), response: reply.raw }
}

/** An open socket, detached from its request. */
interface OpenedSocket {
  readonly socket: WebSocket
  readonly tcp: Socket
  readonly remoteAddress: string
}

/**
 * Detaches the socket from its request. Sessions live long: the request, its reply and their listeners would take some
 * 4 KiB each until its end.
 */
function detachSocket(socket: WebSocket, request: FastifyRequest, { response }: Opening): OpenedSocket {
  const { log } = request.server
  response.detachSocket(request.raw.socket)
  // The plugin's listener, which keeps the request for the same log line.
  socket.removeAllListeners('error')
  socket.on('error', error => log.info({ err: error }, 'socket failed'))
  return { socket, tcp: request.raw.socket, remoteAddress: request.ip }
}

/** Attaches all listeners synchronously: a frame that arrives during an await would be lost. */
function open(
  { socket, tcp, remoteAddress }: OpenedSocket,
  services: ConnectionServices,
  waiting: Set<Connection>,
  challenge: DownstreamMessages['challenge']
): void {
  const transport = createWsTransport(socket, tcp)
  const peer = {
    challengeToken: challenge.challengeToken,
    remoteAddress,
    onSettled: (hasSession: boolean) => {
      waiting.delete(connection)
      if (hasSession) markVerified(tcp)
    }
  }
  const connection: Connection = new Connection(services, transport, peer)
  waiting.add(connection)
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (isBinary) socket.close(closeUnsupportedData, 'text only')
    else connection.receive(bytesOf(data))
  })
  socket.on('close', () => connection.connectionLost())
  transport.send(JSON.stringify(challenge))
}

/** With ws' default binaryType a message is one Buffer. The type allows other forms. */
function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data)
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data
}

export default async function ws(app: FastifyInstance, options: WsOptions): Promise<void> {
  app.decorateRequest('opening', undefined)
  app.route({
    method: 'GET',
    url: '/v1/ws',
    // Limited by the outcome of its handshake: a start costs no more than a refusal, and others share its address.
    config: { rateLimit: false },
    onRequest: async (request, reply) => admit(options, request, reply),
    preHandler: (request, reply) => prepare(options, request, reply),
    handler: (_request, reply) =>
      reply.code(426).header('upgrade', 'websocket').send({ code: 'BAD_REQUEST', message: 'connect with a WebSocket' }),
    wsHandler(socket, request) {
      const { opening } = request
      if (opening === undefined) socket.terminate()
      else open(detachSocket(socket, request, opening), options, app.waitingConnections, opening.challenge)
    }
  })
}
