import { readFileSync } from 'node:fs'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type ApiErrorCode, apiErrors } from '../errors.js'
import type { RepeatedEvents } from '../log/repeated-events.js'
import type { HttpEdge } from './edge.js'
import { readJsonBodies } from './json-body.js'
import { createLazyCompilers } from './lazy-schemas.js'
import { createNodeServer, defaultTimeouts, listenOnAllLoopback, type ServerTimeouts } from './node-server.js'
import { type CountRequest, createRequestCount } from './rate-limit.js'
import { RequestLog } from './request-log.js'
import { isAnswering } from './request-tracker.js'
import { formatSchemaErrors } from './schema-errors.js'

/** Largest request body, in bytes, unless a route has its own limit. */
const bodyBytes = 64 * 1024
/** Longest path parameter: a hwid of 256 bytes, percent-encoded. */
const maxParamLength = 1024

export interface ServerOptions {
  readonly host: string
  /** Addresses or CIDR ranges of the proxies whose `x-forwarded-*` headers are believed. */
  readonly trustProxy: readonly string[]
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  /** A pino logger; absent: nothing is logged. */
  readonly logger: FastifyBaseLogger | undefined
  /** Counts refused requests for the log. */
  readonly refused: RepeatedEvents
  readonly edge: HttpEdge
  /** Nesting levels of a JSON body. */
  readonly depth: number
  /** Default: {@link defaultTimeouts}. */
  readonly timeouts?: ServerTimeouts | undefined
  /** Refuses a malformed path under `bridgePrefix`, where errors have the bridge's form. */
  readonly refuseBridgePath: (reply: FastifyReply) => unknown
  readonly bridgePrefix: string
}

/** Creates the HTTP server without routes. */
export function createServer(options: ServerOptions): FastifyInstance {
  const { logger, tls, trustProxy, edge, refused, depth, timeouts = defaultTimeouts } = options
  const files = tls && { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) }
  const server: FastifyInstance = Fastify({
    ...(logger === undefined ? {} : { loggerInstance: logger, logController: new RequestLog(refused) }),
    serverFactory: handler =>
      createNodeServer(handler, { ...edge, timeouts, tls: files, hasTrustedProxy: trustProxy.length > 0 }),
    trustProxy: trustProxy.length === 0 ? false : [...trustProxy],
    bodyLimit: bodyBytes,
    routerOptions: { maxParamLength },
    forceCloseConnections: 'idle',
    // While it closes, the routes answer in their own form: the bridge with a signed DRAINING.
    return503OnClosing: false,
    frameworkErrors: refuseMalformedPath(options, () => server),
    clientErrorHandler: answerClientError,
    // Values are accepted as they are or refused: never coerced, never dropped.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: false, verbose: true } },
    schemaController: { compilersFactory: createLazyCompilers() },
    schemaErrorFormatter: formatSchemaErrors
  }) as FastifyInstance
  server.decorateRequest('bodyOwner', undefined)
  readJsonBodies(server, edge.readBody, depth)
  if (options.host === 'localhost') server.addHook('onListen', async () => listenOnAllLoopback(server.server))
  return server
}

/** Errors of Node's parser that are not plain bad requests. */
const clientErrors: Readonly<Record<string, ApiErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE'
}

/** Answers what never became a request: headers or a body that came too late, and what is no HTTP. */
function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  const code = clientErrors[error.code ?? ''] ?? 'BAD_REQUEST'
  const { status, message } = apiErrors[code]
  // In the middle of another response this one would be read as a part of it.
  if (socket.writable && !isAnswering(socket)) {
    const body = JSON.stringify({ code, message })
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\nconnection: close`
    socket.write(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  }
  socket.destroy(error)
}

/** Fastify's own response would repeat the path. */
function refuseMalformedPath({ refuseBridgePath, bridgePrefix }: ServerOptions, server: () => FastifyInstance) {
  let count: CountRequest | undefined
  return async (_error: Error, request: FastifyRequest, reply: FastifyReply) => {
    count ??= createRequestCount(server())
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
    const refusal = await count(request)
    if (refusal !== undefined)
      return reply.code(refusal.statusCode).send({ code: refusal.code, message: refusal.message })
    if (request.raw.url?.startsWith(`${bridgePrefix}/`)) return refuseBridgePath(reply)
    const { status, message } = apiErrors.BAD_REQUEST
    return reply.code(status).send({ code: 'BAD_REQUEST', message })
  }
}
