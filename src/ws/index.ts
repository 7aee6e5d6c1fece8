import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { RawData, WebSocket } from 'ws'
import { issueChallenge } from '../auth/handshake.js'
import type { HandshakeLimiter } from '../auth/handshake-limiter.js'
import type { Config } from '../config/load.js'
import { ApiError } from '../errors.js'
import { perMinute } from '../http/rate-limit.js'
import { markVerified } from '../http/unverified-sockets.js'
import { closeUnsupportedData } from '../protocol/codes.js'
import { protocolName } from '../protocol/limits.js'
import type { DownstreamMessages } from '../protocol/messages.js'
import type { ConnectedSessions } from '../session/connected-sessions.js'
import { Connection } from '../session/connection.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { createWsTransport } from './transport.js'

/** The WebSocket transport (PROTOCOL §8): `GET /v1/ws`. */

/** Random bytes of a binding, which ties a challenge to its socket. */
const bindingBytes = 16

export interface WsOptions {
  readonly dependencies: SessionDependencies
  readonly sessions: ConnectedSessions
  readonly config: Pick<Config, 'handshakesPerMinute' | 'maxSessions'>
  readonly limiter: HandshakeLimiter
  /** Whether this instance is stopping. */
  readonly isDraining: () => boolean
}

interface Handshake {
  readonly binding: string
  readonly challenge: DownstreamMessages['challenge']
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The challenge for the socket that this request is about to open. */
    handshake: Handshake | undefined
  }
}

/** Refuses a connection before its upgrade. @throws ApiError */
function admit(app: FastifyInstance, { sessions, config, isDraining }: WsOptions, request: FastifyRequest): void {
  if (isDraining()) throw new ApiError('DRAINING')
  const offered = request.headers['sec-websocket-protocol']
  if (offered !== undefined && !offered.split(',').some(each => each.trim() === protocolName)) {
    throw new ApiError('UNSUPPORTED_PROTOCOL')
  }
  if (sessions.size + app.waitingConnections.size >= config.maxSessions) {
    throw new ApiError('UNAVAILABLE', 'this instance has no capacity for another session', { outcome: 'unsent' })
  }
}

/** Issues the challenge before the upgrade: if the store is unavailable, the client gets a plain 503. */
async function prepare({ dependencies }: WsOptions, request: FastifyRequest): Promise<void> {
  if (!request.ws) return
  const binding = `ws:${dependencies.randomText(bindingBytes)}`
  request.handshake = { binding, challenge: await issueChallenge(dependencies, binding) }
}

/** Attaches all listeners synchronously: a frame that arrives during an await would be lost. */
function open(
  app: FastifyInstance,
  { dependencies, sessions, limiter }: WsOptions,
  socket: WebSocket,
  request: FastifyRequest,
  { binding, challenge }: Handshake
): void {
  const transport = createWsTransport(socket, request.raw.socket)
  const peer = {
    binding,
    challengeToken: challenge.challengeToken,
    remoteAddress: request.ip,
    onSettled: (hasSession: boolean) => {
      app.waitingConnections.delete(connection)
      if (hasSession) markVerified(request.raw.socket)
    }
  }
  const connection: Connection = new Connection({ dependencies, sessions, limiter }, transport, peer)
  app.waitingConnections.add(connection)
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
  app.decorateRequest('handshake', undefined)
  app.route({
    method: 'GET',
    url: '/v1/ws',
    config: { rateLimit: perMinute(options.config.handshakesPerMinute) },
    onRequest: async request => admit(app, options, request),
    // After the rate limit's own hook.
    preHandler: request => prepare(options, request),
    handler: (_request, reply) =>
      reply.code(426).header('upgrade', 'websocket').send({ code: 'BAD_REQUEST', message: 'connect with a WebSocket' }),
    wsHandler(socket, request) {
      if (request.handshake === undefined) socket.terminate()
      else open(app, options, socket, request, request.handshake)
    }
  })
}
