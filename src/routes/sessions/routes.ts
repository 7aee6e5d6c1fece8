import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { mayListSessions } from '../../auth/permissions.js'
import { ApiError } from '../../errors.js'
import type { ListedSession, SessionDirectory } from '../../session/session-directory.js'
import type { Guard } from '../auth.js'
import type { Resource } from '../common/resource.js'
import { formatTime, parseLimit } from '../values.js'
import { directoryCalls, directorySchemas } from './schema.js'

export interface DirectoryDependencies {
  readonly directory: Pick<SessionDirectory, 'list'>
  /** Requires the scope `calls`. */
  readonly guard: Guard
}

function formatSession({ openedAt, lastSeenAt, ...session }: ListedSession) {
  return { ...session, openedAt: formatTime(openedAt), lastSeenAt: formatTime(lastSeenAt) }
}

function routes({ directory, guard }: DirectoryDependencies): FastifyPluginAsyncTypebox {
  return async app => {
    app.addHook('preParsing', guard)
    app.get('/sessions', { schema: directoryCalls.list }, async request => {
      const { clientId, after = '' } = request.query
      const limit = parseLimit(request.query.limit)
      const { limitedBy } = request
      if (limitedBy !== undefined && !mayListSessions(limitedBy.call, clientId)) {
        throw new ApiError('PERMISSION_DENIED', `no call pattern of this token can match a method of ${clientId}`)
      }
      const { sessions, next } = await directory.list(clientId, after, limit)
      return { items: sessions.map(formatSession), ...(next === undefined ? {} : { next }) }
    })
  }
}

/** `GET /v1/sessions`: for backends that call sessions. */
export const directoryResource: Resource<DirectoryDependencies> = { tags: [], schemas: directorySchemas, routes }
