import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { ApiError } from '../errors.js'
import type { Registry } from '../registry/index.js'
import type { SessionEntry, Store } from '../store/store.js'
import { formatTime, identifierSchema, pageOf, pageQuerySchema, parseLimit } from './schemas.js'

const sessionParams = Type.Object({ sessionId: Type.String({ pattern: '^[A-Za-z0-9_-]{22,64}$' }) })
const sessionsQuery = Type.Object(
  { ...pageQuerySchema.properties, clientId: Type.Optional(identifierSchema) },
  { additionalProperties: false }
)
const auditQuery = Type.Object(
  {
    after: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}$', description: 'the `next` of the page before' })),
    limit: pageQuerySchema.properties.limit
  },
  { additionalProperties: false }
)

/** `/v1/admin/sessions`, `/v1/admin/audit` and the change of the master key: who is on, who did what, upkeep. */
export function sessionRoutes(store: Store, registry: Registry, silenceMs: number): FastifyPluginAsyncTypebox {
  function show({ openedAt, expiresAt, deadline, ...entry }: SessionEntry) {
    return {
      ...entry,
      openedAt: formatTime(openedAt),
      expiresAt: formatTime(expiresAt),
      lastSeenAt: formatTime(deadline - silenceMs)
    }
  }

  return async app => {
    app.get('/sessions', { schema: { querystring: sessionsQuery } }, request =>
      pageOf(
        request.query,
        (after, limit) => store.sessions.list(after, limit, request.query.clientId),
        entry => entry.sessionId,
        show
      )
    )

    app.delete('/sessions/:sessionId', { schema: { params: sessionParams } }, async (request, reply) => {
      const { sessionId } = request.params
      const entry = await store.sessions.get(sessionId)
      if (entry === undefined) throw new ApiError('NOT_FOUND', `there is no session ${sessionId}`)
      const audit = registry.audit.entry(request.actor, 'session.end', `session:${sessionId}`, {
        clientId: entry.clientId
      })
      // The instance that holds it hears of the topic and ends it with SESSION_REVOKED.
      await store.records.commit({ writes: [], audit, topic: `session:${sessionId}` })
      return reply.code(204).send()
    })

    app.get('/audit/verify', () => registry.audit.verify())

    app.post('/keys/reencrypt', { schema: { querystring: pageQuerySchema } }, async request => {
      const { after = '' } = request.query
      const pepper = after === '' && (await registry.reencryptPepper(request.actor)) ? 1 : 0
      const limit = parseLimit(request.query.limit)
      const { resealed, next } = await registry.clients.reencrypt(after, limit, request.actor)
      return { resealed: resealed + pepper, ...(next === undefined ? {} : { next }) }
    })

    app.get('/audit', { schema: { querystring: auditQuery } }, async request => {
      const limit = parseLimit(request.query.limit)
      const items = await registry.audit.list(Number(request.query.after ?? 0), limit)
      const last = items.length === limit ? items.at(-1) : undefined
      return { items, ...(last === undefined ? {} : { next: String(last.seq) }) }
    })
  }
}
