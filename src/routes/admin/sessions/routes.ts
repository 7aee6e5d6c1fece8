import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ApiError } from '../../../errors.js'
import type { Registry } from '../../../registry/index.js'
import type { SessionEntry, Store } from '../../../store/store.js'
import { formatTime, pageOf, parseLimit } from '../../values.js'
import { auditCalls, sessionCalls, upkeepCalls } from './schema.js'

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
    app.get('/sessions', { schema: sessionCalls.list }, request =>
      pageOf(
        request.query,
        (after, limit) => store.sessions.list(after, limit, request.query.clientId),
        entry => entry.sessionId,
        show
      )
    )

    app.delete('/sessions/:sessionId', { schema: sessionCalls.end }, async (request, reply) => {
      const { sessionId } = request.params
      const entry = await store.sessions.get(sessionId)
      if (entry === undefined) throw new ApiError('NOT_FOUND', `there is no session ${sessionId}`)
      const audit = registry.audit.entry(request.actor, 'session.end', `session:${sessionId}`, {
        clientId: entry.clientId
      })
      // The instance that serves it receives the event and ends it with SESSION_REVOKED.
      await store.durable.commit({ writes: [], audit, event: { kind: 'session', id: sessionId } })
      return reply.code(204).send()
    })

    app.get('/audit', { schema: auditCalls.list }, async request => {
      const limit = parseLimit(request.query.limit)
      const items = await registry.audit.list(Number(request.query.after ?? 0), limit)
      const last = items.length === limit ? items.at(-1) : undefined
      return { items, ...(last === undefined ? {} : { next: String(last.seq) }) }
    })

    app.get('/audit/verify', { schema: auditCalls.verify }, () => registry.audit.verify())

    app.post('/keys/reencrypt', { schema: upkeepCalls.reencrypt }, async request => {
      const { after = '' } = request.query
      const pepper = after === '' && (await registry.reencryptPepper(request.actor)) ? 1 : 0
      const limit = parseLimit(request.query.limit)
      const { resealed, next } = await registry.clients.reencrypt(after, limit, request.actor)
      return { resealed: resealed + pepper, ...(next === undefined ? {} : { next }) }
    })
  }
}
