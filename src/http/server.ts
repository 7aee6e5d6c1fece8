import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type CertificateFiles, readCertificate } from '../config/certificate.js'
import { type ApiErrorCode, apiErrors } from '../errors.js'
import type { BoundedLog } from '../log/bounded-log.js'
import type { HttpEdge } from './edge.js'
import { readJsonBodies } from './json-body.js'
import { createLazyCompilers } from './lazy-schemas.js'
import { createNodeServer, defaultTimeouts, listenOnAllLoopback, type ServerTimeouts } from './node-server.js'
import { type CountAddress, type CountRequest, createAddressCount, createRequestCount } from './rate-limit.js'
import { RequestLog } from './request-log.js'
import { formatSchemaErrors } from './schema-errors.js'
import { createUnparsedRequests, type UnparsedRequests } from './unparsed-requests.js'

/** Largest request body, in bytes, unless a route has its own limit. */
const bodyBytes = 64 * 1024
/** Longest path parameter: a hwid of 256 bytes, percent-encoded. */
const maxParamLength = 1024

export interface ServerOptions {
  readonly host: string
  /** Addresses or CIDR ranges of the proxies whose `x-forwarded-*` headers are trusted. */
  readonly trustProxy: readonly string[]
  readonly tls: CertificateFiles | undefined
  /** A pino logger; absent: nothing is logged. */
  readonly logger: FastifyBaseLogger | undefined
  /** Counts refused requests for the log, and peers that are above a rate. */
  readonly boundedLog: Pick<BoundedLog, 'requests' | 'floods'>
  /** Called for each refusal outside of routes, with its error code. */
  readonly onRefused: (code: ApiErrorCode) => void
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
  const { logger, tls, trustProxy, edge, boundedLog, depth, timeouts = defaultTimeouts } = options
  const unparsed = refuseUnparsed(options, () => server)
  const certificate = tls && (tls.content ?? readCertificate(tls))
  const server: FastifyInstance = Fastify({
    ...(logger === undefined ? {} : { loggerInstance: logger, logController: new RequestLog(boundedLog.requests) }),
    serverFactory: handler =>
      createNodeServer(handler, {
        ...{ ...edge, timeouts, tls: certificate, hasTrustedProxy: trustProxy.length > 0 },
        onConnect: unparsed.connect
      }),
    trustProxy: trustProxy.length === 0 ? false : [...trustProxy],
    bodyLimit: bodyBytes,
    routerOptions: { maxParamLength },
    forceCloseConnections: 'idle',
    // While it closes, the routes answer in their own form: the bridge with a signed DRAINING.
    return503OnClosing: false,
    frameworkErrors: refuseMalformedPath(options, () => server),
    clientErrorHandler: unparsed.clientError,
    // Values are accepted unchanged or refused: never coerced, never dropped.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: false, verbose: true } },
    schemaController: { compilersFactory: createLazyCompilers() },
    schemaErrorFormatter: formatSchemaErrors
  }) as FastifyInstance
  server.decorateRequest('bodyOwner', undefined)
  readJsonBodies(server, edge.readBody, depth)
  if (options.host === 'localhost') server.addHook('onListen', async () => listenOnAllLoopback(server.server))
  return server
}

/**
 * Input that never becomes a request of Fastify is counted with the requests of its address, once the rate limit is
 * installed.
 */
function refuseUnparsed(
  { edge, boundedLog, logger: log, onRefused }: ServerOptions,
  server: () => FastifyInstance
): UnparsedRequests {
  let count: CountAddress | undefined
  return createUnparsedRequests({
    ...{ log, floods: boundedLog.floods, refused: boundedLog.requests },
    ...{ onRefused, keyOf: edge.keyOf, onCut: edge.onCut },
    count(remoteAddress) {
      count ??= createAddressCount(server())
      return count(remoteAddress)
    }
  })
}

/** Fastify's own response would quote the path. */
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
