import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { parseLimit } from '../../values.js'
import type { AdminDependencies, AdminResource } from '../resource.js'
import { auditCalls, auditSchemas, auditTag } from './schema.js'

function routes({ registry: { audit } }: AdminDependencies): FastifyPluginAsyncTypebox {
  return async app => {
    app.get('/audit', { schema: auditCalls.list }, async request => {
      const limit = parseLimit(request.query.limit)
      const items = await audit.list(Number(request.query.after ?? 0), limit)
      const last = items.length === limit ? items.at(-1) : undefined
      return { items, ...(last === undefined ? {} : { next: String(last.seq) }) }
    })

    app.get('/audit/verify', { schema: auditCalls.verify }, () => audit.verify())
  }
}

/** `/v1/admin/audit`: the audit log. */
export const auditResource: AdminResource = { tags: [auditTag], schemas: auditSchemas, routes }
