import { readFileSync } from 'node:fs'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { apiErrors } from '../errors.js'
import { RequestLog } from './request-log.js'

/** Largest request body, in bytes. */
const bodyBytes = 64 * 1024
/** Longest path parameter: a hwid of 256 bytes, percent-encoded. */
const maxParamLength = 1024
/** Time for a request to arrive completely, in milliseconds. The response may take longer: the bridge holds polls. */
const requestTimeoutMs = 30_000

export interface ServerOptions {
  /** Addresses or CIDR ranges of the proxies whose `x-forwarded-*` headers are believed. */
  readonly trustProxy: readonly string[]
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  /** A pino logger; absent: nothing is logged. */
  readonly logger: FastifyBaseLogger | undefined
  /** Refuses a malformed path under `bridgePrefix`, where errors have the bridge's form. */
  readonly refuseBridgePath: (reply: FastifyReply) => unknown
  readonly bridgePrefix: string
}

/** Creates the HTTP server without routes. */
export function createServer(options: ServerOptions): FastifyInstance {
  const { logger, tls, trustProxy } = options
  const server = Fastify({
    ...(logger === undefined ? {} : { loggerInstance: logger, logController: new RequestLog() }),
    ...(tls === undefined ? {} : { https: { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) } }),
    trustProxy: trustProxy.length === 0 ? false : [...trustProxy],
    bodyLimit: bodyBytes,
    routerOptions: { maxParamLength },
    forceCloseConnections: 'idle',
    // While it closes, the routes answer in their own form: the bridge with a signed DRAINING.
    return503OnClosing: false,
    requestTimeout: requestTimeoutMs,
    frameworkErrors: refuseMalformedPath(options),
    // Values are accepted as they are or refused: never coerced, never dropped.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: false } }
  }) as FastifyInstance
  acceptEmptyJson(server)
  return server
}

/** Fastify's own response would repeat the path. */
function refuseMalformedPath({ refuseBridgePath, bridgePrefix }: ServerOptions) {
  return (_error: Error, request: FastifyRequest, reply: FastifyReply) => {
    if (request.raw.url?.startsWith(`${bridgePrefix}/`)) return refuseBridgePath(reply)
    const { status, message } = apiErrors.BAD_REQUEST
    return reply.code(status).send({ code: 'BAD_REQUEST', message })
  }
}

/** Many programs send `content-type: application/json` with every request, including a DELETE without a body. */
function acceptEmptyJson(server: FastifyInstance): void {
  // Fastify would parse text/plain, and the error would then concern the parsed text instead of the media type.
  server.removeContentTypeParser('text/plain')
  const parse = server.getDefaultJsonParser('error', 'error')
  server.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else parse(request, body, done)
  })
}
