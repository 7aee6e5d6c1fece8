import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { scopes, type Token, type Tokens } from '../registry/tokens.js'
import {
  capabilitySchemas,
  clientPatternsSchema,
  formatTime,
  identifierSchema,
  pageOf,
  pageQuerySchema,
  parseTime,
  timeSchema
} from './schemas.js'

const maxNameLength = 128

const newTokenSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: maxNameLength }),
    scopes: Type.Array(Type.Union(scopes.map(scope => Type.Literal(scope))), {
      minItems: 1,
      maxItems: scopes.length,
      uniqueItems: true
    }),
    clients: clientPatternsSchema,
    ...capabilitySchemas,
    expiresAt: Type.Optional(timeSchema)
  },
  { additionalProperties: false }
)
const tokenParams = Type.Object({ tokenId: identifierSchema })

function show({ createdAt, expiresAt, ...token }: Token) {
  return {
    ...token,
    createdAt: formatTime(createdAt),
    ...(expiresAt === undefined ? {} : { expiresAt: formatTime(expiresAt) })
  }
}

/** `/v1/admin/tokens`: API tokens. A token is in one answer only, that of its making. */
export function tokenRoutes(tokens: Tokens): FastifyPluginAsyncTypebox {
  return async app => {
    app.post('/tokens', { schema: { body: newTokenSchema } }, async (request, reply) => {
      const { expiresAt, ...rest } = request.body
      const wanted = { ...rest, ...(expiresAt === undefined ? {} : { expiresAt: parseTime(expiresAt) }) }
      const { token, record } = await tokens.create(wanted, request.actor)
      return reply.code(201).send({ ...show(record), token })
    })

    app.get('/tokens', { schema: { querystring: pageQuerySchema } }, request =>
      pageOf(request.query, tokens.list, token => token.tokenId, show)
    )

    app.delete('/tokens/:tokenId', { schema: { params: tokenParams } }, async (request, reply) => {
      await tokens.remove(request.params.tokenId, request.actor)
      return reply.code(204).send()
    })
  }
}
