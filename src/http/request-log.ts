import { type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import type { RepeatedEvents } from '../log/repeated-events.js'

/** Log lines about requests. */

/** The reason of a refusal. */
export interface Refusal {
  /** The error code that was sent. */
  readonly code: string
  readonly reason?: string | undefined
  readonly cause?: unknown
}

const refusals = new WeakMap<object, Refusal>()

/** Records why a request is refused, for its log line and its metric. */
export function noteRefusal(request: FastifyRequest, refusal: Refusal): void {
  refusals.set(request, refusal)
}

/** @returns undefined if the request was not refused */
export function refusalOf(request: FastifyRequest, { statusCode }: FastifyReply): Refusal | undefined {
  if (statusCode < 400) return undefined
  return refusals.get(request) ?? { code: `HTTP_${statusCode}` }
}

export const monitoringPaths: ReadonlySet<string | undefined> = new Set(['/livez', '/readyz', '/metrics'])

/**
 * Logs a request once, when its response is sent. Polls, starts of handshakes and monitoring requests are frequent, so
 * they are logged at `debug`. Refused requests, which anyone can repeat at will, are logged at `info`, up to a number
 * of lines a minute.
 */
export class RequestLog extends LogController {
  readonly #refused: RepeatedEvents

  constructor(refused: RepeatedEvents) {
    super()
    this.#refused = refused
  }

  override incomingRequest(request: FastifyRequest): void {
    request.log.debug({ req: request }, 'incoming request')
  }

  override requestCompleted(error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    if (error != null) {
      this.#refused.record('RESPONSE_FAILED', () => super.requestCompleted(error, request, reply))
      return
    }
    const fields = { req: request, res: reply, responseTime: reply.elapsedTime }
    if (isFrequent(request)) {
      request.log.debug(fields, 'request completed')
      return
    }
    const refusal = refusalOf(request, reply)
    if (refusal === undefined) request.log.info(fields, 'request completed')
    else this.#refused.record(refusal.code, () => request.log.info({ ...fields, ...refusal }, 'request refused'))
  }
}

function isFrequent(request: FastifyRequest): boolean {
  const { url } = request.raw
  return (
    url?.endsWith('/exchange') === true ||
    url?.endsWith('/challenge') === true ||
    monitoringPaths.has(request.routeOptions.url)
  )
}
