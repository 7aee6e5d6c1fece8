import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { answersOf, type CallAllLine, maxCalledSessions } from '../../calls/call-all.js'
import { recordIdOf } from '../../calls/call-id.js'
import { CallOrder } from '../../calls/call-order.js'
import type { CallTarget } from '../../calls/directory.js'
import type { HttpCallers } from '../../calls/http-callers.js'
import type { CallOutcome } from '../../calls/outcome.js'
import { type Caller, type CallRequest, createCallRequest, mayCall } from '../../calls/request.js'
import type { CallRouter } from '../../calls/router.js'
import { ApiError } from '../../errors.js'
import { callTimeoutMs, type Limits } from '../../protocol/limits.js'
import { RateLimited } from '../../protocol/protocol-error.js'
import type { SessionDirectory } from '../../session/session-directory.js'
import { adminActor, type Guard } from '../auth.js'
import type { Resource } from '../common/resource.js'
import { dataTextOf } from '../data-text.js'
import { callCalls, callSchemas, callTag } from './schema.js'

export interface CallDependencies {
  readonly router: Pick<CallRouter, 'call' | 'now'>
  readonly callers: HttpCallers
  readonly directory: Pick<SessionDirectory, 'list'>
  readonly limits: Limits
  /** Requires the scope `calls`. */
  readonly guard: Guard
}

interface CallBody {
  readonly to: { readonly sessionId?: string; readonly clientId?: string; readonly all?: true }
  readonly method: string
  readonly data?: unknown
  readonly timeoutMs?: number
  readonly idempotencyKey?: string
}

/** @throws ApiError BAD_REQUEST */
function targetOf({ to }: CallBody): CallTarget {
  const { sessionId, clientId, all } = to
  if (sessionId !== undefined && clientId === undefined && all === undefined) return { sessionId }
  if (clientId !== undefined && sessionId === undefined) return { clientId }
  throw new ApiError('BAD_REQUEST', 'to: must be { sessionId }, { clientId } or { clientId, all: true }')
}

/** Makes the calls of one request. */
class HttpCall {
  readonly #dependencies: CallDependencies
  readonly #actor: string
  readonly #caller: Caller
  readonly #body: CallBody
  readonly #data: string | undefined

  constructor(dependencies: CallDependencies, actor: string, patterns: readonly string[] | undefined, body: CallBody) {
    this.#dependencies = dependencies
    this.#actor = actor
    // Client ids cannot contain `:`, so the keys of tokens and of clients never collide.
    this.#caller = { patterns, owners: actor === adminActor ? '' : actor }
    this.#body = body
    this.#data = body.data === undefined ? undefined : dataTextOf(body.data, dependencies.limits)
  }

  /** @param perSession  restricts the key to this session */
  #request(to: CallTarget, perSession = ''): CallRequest {
    const { method, timeoutMs = callTimeoutMs.default, idempotencyKey } = this.#body
    return createCallRequest({
      ...{ caller: this.#caller, to, method },
      ...(this.#data === undefined ? {} : { data: this.#data }),
      expiresAt: this.#dependencies.router.now() + timeoutMs,
      recordId: recordIdOf(`a:${this.#actor} ${perSession}`, idempotencyKey ?? randomUUID()),
      isKeyed: idempotencyKey !== undefined
    })
  }

  async one(to: CallTarget): Promise<CallOutcome> {
    const { callers, router } = this.#dependencies
    const close = callers.begin(this.#actor, 1)
    return router.call(this.#request(to), new CallOrder()).finally(close)
  }

  /** @throws ApiError PERMISSION_DENIED, NO_RECEIVER. @throws RateLimited, StoreUnavailable */
  async all(clientId: string): Promise<AsyncGenerator<CallAllLine>> {
    const { callers, directory, router } = this.#dependencies
    const { method } = this.#body
    if (!mayCall(this.#caller, clientId, method)) throw new ApiError('PERMISSION_DENIED', denied(clientId, method))
    const { sessions, next } = await directory.list(clientId, '', maxCalledSessions)
    if (sessions.length === 0) throw new ApiError('NO_RECEIVER')
    // Counted first: after the calls were made, a refusal would suggest that they were not.
    const truncated = next === undefined ? 0 : await this.#countAfter(clientId, next)
    const close = callers.begin(this.#actor, sessions.length)
    const outcomes = sessions.map(({ sessionId }) => ({
      sessionId,
      outcome: router.call(this.#request({ sessionId }, sessionId), new CallOrder()).finally(close)
    }))
    return answersOf(outcomes, truncated)
  }

  async #countAfter(clientId: string, after: string): Promise<number> {
    let count = 0
    for (let next: string | undefined = after; next !== undefined; ) {
      const page = await this.#dependencies.directory.list(clientId, next, maxCalledSessions)
      count += page.sessions.length
      next = page.next
    }
    return count
  }
}

function denied(clientId: string, method: string): string {
  return `no call pattern of this token matches ${clientId}/${method}`
}

/** @throws ApiError, RateLimited for any other outcome than an answer */
function answerOf(outcome: CallOutcome): { readonly sessionId: string; readonly data?: unknown } {
  if (outcome.kind === 'answered') {
    const { sessionId, result } = outcome
    if (result.error !== undefined) throw new ApiError('CALL_FAILED', undefined, { error: result.error })
    return { sessionId, ...(result.data === undefined ? {} : { data: JSON.parse(result.data) }) }
  }
  const { code, message, retryAfterMs = 0, outcome: ran } = outcome
  switch (code) {
    case 'RATE_LIMITED':
      throw new RateLimited(message ?? 'too many calls', retryAfterMs)
    case 'PERMISSION_DENIED':
      throw new ApiError(code, 'no call pattern of this token matches the method of this receiver')
    case 'INVALID_MESSAGE':
      throw new ApiError('BAD_REQUEST', message)
    case 'NO_RECEIVER':
      throw new ApiError(code)
    case 'CALL_TIMEOUT':
    case 'UNAVAILABLE':
      throw new ApiError(code, undefined, ran === undefined ? {} : { outcome: ran })
    default:
      throw new Error(`a call ended with ${code}`)
  }
}

async function* linesOf(answers: AsyncGenerator<CallAllLine>): AsyncGenerator<string> {
  for await (const line of answers) {
    // Data is already JSON text.
    const data = 'sessionId' in line ? line.data : undefined
    yield data === undefined
      ? `${JSON.stringify(line)}\n`
      : `${JSON.stringify({ ...line, data: undefined }).slice(0, -1)},"data":${data}}\n`
  }
}

function routes(dependencies: CallDependencies): FastifyPluginAsyncTypebox {
  return async app => {
    app.addHook('preParsing', dependencies.guard)
    app.post('/calls', { schema: callCalls.call }, async (request, reply) => {
      const { body, actor, limitedBy } = request
      const to = targetOf(body)
      const call = new HttpCall(dependencies, actor, limitedBy?.call, body)
      if (body.to.all !== true || !('clientId' in to)) return answerOf(await call.one(to))
      const answers = await call.all(to.clientId)
      return reply.type('application/x-ndjson').send(Readable.from(linesOf(answers)) as unknown as string)
    })
  }
}

/** `POST /v1/calls`: for backends that call sessions without a session of their own. */
export const callResource: Resource<CallDependencies> = { tags: [callTag], schemas: callSchemas, routes }
