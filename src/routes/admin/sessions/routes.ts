import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ApiError } from '../../../errors.js'
import { lastSeenOf } from '../../../session/session-entry.js'
import type { CountedSession } from '../../../store/store.js'
import { formatTime, pageOf, parseLimit } from '../../values.js'
import type { AdminDependencies, AdminResource } from '../resource.js'
import { sessionCalls, sessionSchemas, sessionTag } from './schema.js'

function routes({ registry, store, sessionTimeoutMs, now, steadyNow }: AdminDependencies): FastifyPluginAsyncTypebox {
  function formatSession(session: CountedSession) {
    const { openedAt, expiresAt, deadline: _, ...entry } = session
    return {
      ...entry,
      openedAt: formatTime(openedAt),
      expiresAt: formatTime(expiresAt),
      lastSeenAt: formatTime(lastSeenOf(session, { timeoutMs: sessionTimeoutMs, now, steadyNow }))
    }
  }

  return async app => {
    app.get('/sessions', { schema: sessionCalls.list }, request =>
      pageOf(
        request.query,
        (after, limit) => store.sessions.list(after, limit, request.query.clientId),
        entry => entry.sessionId,
        formatSession
      )
    )

    app.get('/top', { schema: sessionCalls.top }, async request => {
      const sessions = await store.sessions.top(parseLimit(request.query.limit))
      return { items: sessions.map(({ sessionId, clientId, counts }) => ({ sessionId, clientId, counts })) }
    })

    app.delete('/sessions/:sessionId', { schema: sessionCalls.end }, async (request, reply) => {
      const { sessionId } = request.params
      const entry = await store.sessions.get(sessionId)
      if (entry === undefined) throw new ApiError('NOT_FOUND', `there is no session ${sessionId}`)
      const { clientId } = entry
      const audit = registry.audit.entry(request.actor, 'session.end', `session:${sessionId}`, { clientId })
      // The instance that serves it receives the event and ends it with SESSION_REVOKED.
      const event = { kind: 'session', id: sessionId } as const
      await store.durable.commit({ writes: [], audit, event, isProtective: true })
      return reply.code(204).send()
    })
  }
}

/** `/v1/admin/sessions`: live sessions of all instances. */
export const sessionResource: AdminResource = { tags: [sessionTag], schemas: sessionSchemas, routes }
