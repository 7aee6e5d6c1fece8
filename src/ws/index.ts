import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RawData, WebSocket } from 'ws'
import { issueChallenge } from '../auth/handshake.js'
import type { HandshakeLimiter } from '../auth/handshake-limiter.js'
import type { Config } from '../config/load.js'
import { ApiError } from '../errors.js'
import { closeUnsupportedData } from '../protocol/codes.js'
import { protocolName } from '../protocol/limits.js'
import type { DownstreamMessages } from '../protocol/messages.js'
import type { ConnectedSessions } from '../session/connected-sessions.js'
import { Connection } from '../session/connection.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { isOriginAllowed } from './origin.js'
import { createWsTransport } from './transport.js'

/** The WebSocket as a transport (PROTOCOL §8): `GET /v1/ws`. */

const bindingBytes = 16

export interface WsOptions {
  readonly dependencies: SessionDependencies
  readonly sessions: ConnectedSessions
  readonly config: Config
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
    /** The challenge of a socket that is about to open, and what binds it. */
    handshake: Handshake | undefined
  }
}

export default async function ws(app: FastifyInstance, options: WsOptions): Promise<void> {
  const { dependencies, sessions, config, limiter, isDraining } = options
  const waiting = app.waitingConnections

  async function admit(request: FastifyRequest): Promise<void> {
    if (isDraining()) throw new ApiError('DRAINING')
    const offered = request.headers['sec-websocket-protocol']
    if (offered !== undefined && !offered.split(',').some(each => each.trim() === protocolName)) {
      throw new ApiError('UNSUPPORTED_PROTOCOL')
    }
    if (!isOriginAllowed(config.allowedOrigins, request.headers.origin, request.host)) {
      throw new ApiError('PERMISSION_DENIED', 'this origin may not connect (COUNTERSIGN_ALLOWED_ORIGINS)')
    }
    if (sessions.size + waiting.size >= config.maxSessions) throw new ApiError('UNAVAILABLE', 'this instance is full')
  }

  // After the rate limit's own hook, and before the upgrade, so that without a store the client gets a plain 503.
  async function prepare(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (!request.ws) return
    const retryAfterMs = await limiter.retryAfterMs(request.ip)
    if (retryAfterMs > 0) {
      reply.header('retry-after', Math.ceil(retryAfterMs / 1000))
      throw new ApiError('RATE_LIMITED', 'too many failed handshakes from this address')
    }
    const binding = `ws:${dependencies.randomText(bindingBytes)}`
    request.handshake = { binding, challenge: await issueChallenge(dependencies, binding) }
  }

  /** Listeners are attached at once: what arrives while something is awaited would be lost. */
  function open(socket: WebSocket, request: FastifyRequest, { binding, challenge }: Handshake): void {
    const transport = createWsTransport(socket, request.raw.socket)
    const { challengeToken } = challenge
    const peer = { binding, challengeToken, remoteAddress: request.ip, onSettled: () => waiting.delete(connection) }
    const connection: Connection = new Connection({ dependencies, sessions, limiter }, transport, peer)
    waiting.add(connection)
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (isBinary) socket.close(closeUnsupportedData, 'text only')
      else connection.receive(bytesOf(data))
    })
    socket.on('close', () => connection.connectionLost())
    transport.send(JSON.stringify(challenge))
  }

  app.decorateRequest('handshake', undefined)
  app.route({
    method: 'GET',
    url: '/v1/ws',
    config: { rateLimit: { max: config.handshakesPerMinute, timeWindow: 60_000 } },
    onRequest: admit,
    preHandler: prepare,
    handler: (_request, reply) =>
      reply.code(426).header('upgrade', 'websocket').send({ code: 'BAD_REQUEST', message: 'connect with a WebSocket' }),
    wsHandler(socket, request) {
      if (request.handshake === undefined) socket.terminate()
      else open(socket, request, request.handshake)
    }
  })
}

/** With ws' default binaryType a message is one Buffer; the other forms are for completeness of its type. */
function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data)
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data
}
