import { lookup } from 'node:dns'
import type { EventEmitter } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import type { Certificate } from '../config/certificate.js'
import type { Descriptors } from './descriptors.js'
import { normalizeForwardedFor } from './forwarded-for.js'
import { trackRequests } from './request-tracker.js'
import type { UnverifiedSockets } from './unverified-sockets.js'
import { separateUpgrades } from './upgrades.js'

/** The HTTP server below Fastify: its timeouts, and its bounds on sockets and requests. */

/** Timeouts of the server, in milliseconds. */
export interface ServerTimeouts {
  /** For all headers of a request to arrive, and for the first byte of a new socket. */
  readonly headersMs: number
  /** For a whole request to arrive, from its first byte on. The response may take longer: the bridge holds polls. */
  readonly bodyMs: number
  /** Interval of the checks of both: they may end this much late. */
  readonly checkEveryMs: number
}

export const defaultTimeouts: ServerTimeouts = { headersMs: 10_000, bodyMs: 20_000, checkEveryMs: 1000 }
/** Time for which an idle socket is kept for the next request, in milliseconds. */
const keepAliveMs = 72_000
/** Requests that one socket may carry before it is closed. */
export const maxRequestsPerSocket = 10_000

const upgradesOf = new WeakMap<object, EventEmitter>()

/** Emits `upgrade` for the WebSocket upgrades of a server of {@link createNodeServer}. */
export function webSocketUpgradesOf(server: object): EventEmitter {
  const upgrades = upgradesOf.get(server)
  if (upgrades === undefined) throw new Error('the server was not made by createNodeServer')
  return upgrades
}

export interface NodeServerOptions {
  readonly timeouts: ServerTimeouts
  readonly tls: Certificate | undefined
  /** Whether `x-forwarded-for` is read. */
  readonly hasTrustedProxy: boolean
  readonly sockets: UnverifiedSockets
  readonly descriptors: Descriptors
  /** Called for each socket that had too many requests in flight. */
  readonly onPipelined: () => void
  /** Answers a request for a tunnel, and closes its socket. Node would close it outside of every limit. */
  readonly onConnect: (request: IncomingMessage) => void
}

export function createNodeServer(handler: RequestListener, options: NodeServerOptions): Server {
  const { timeouts, tls, hasTrustedProxy, sockets, descriptors, onPipelined, onConnect } = options
  const settings = {
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.bodyMs,
    connectionsCheckingInterval: timeouts.checkEveryMs,
    keepAliveTimeout: keepAliveMs,
    // Node would answer a request without Host outside of every limit; request-rules.ts refuses it.
    requireHostHeader: false
  }
  const counted = trackRequests(handler, onPipelined)
  const listener: RequestListener = hasTrustedProxy
    ? (request, response) => {
        normalizeForwardedFor(request)
        counted(request, response)
      }
    : counted
  const server =
    tls === undefined
      ? createHttpServer(settings, listener)
      : createHttpsServer({ ...settings, ...tls, handshakeTimeout: timeouts.headersMs }, listener)
  server.maxRequestsPerSocket = maxRequestsPerSocket
  // Its last response had `connection: close`. Node itself would still answer further requests.
  server.on('dropRequest', (_request, socket) => socket.destroy())
  // An unknown expectation is ignored (RFC 9110 §10.1.1). Node would answer 417 outside of every limit.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  server.on('connect', request => onConnect(request))
  upgradesOf.set(server, separateUpgrades(server, hasTrustedProxy ? normalizeForwardedFor : undefined))
  server.on('connection', (socket: Socket) => {
    descriptors.add(socket)
    sockets.add(socket)
  })
  server.on('secureConnection', (socket: Socket) => sockets.secured(socket))
  return server
}

/**
 * `localhost` is 127.0.0.1 and ::1. Node listens on the first of them; this accepts connections on the others.
 * @param server  already listening
 */
export function listenOnAllLoopback(server: Server): void {
  const { address: first, port } = server.address() as AddressInfo
  lookup('localhost', { all: true }, (error, addresses) => {
    for (const { address } of error === null ? addresses : []) {
      if (address === first || !server.listening) continue
      const other = createTcpServer(socket => server.emit('connection', socket))
      // The other address may not exist on this machine.
      other.on('error', () => {})
      other.listen(port, address)
      server.once('close', () => other.close())
    }
  })
}
