import Type from 'typebox'
import { scopes } from '../../../registry/tokens.js'
import { needs, noContent, ofBody, refusals } from '../../common/operation.js'
import type { Tag } from '../../common/resource.js'
import {
  capabilitySchemas,
  clientPatternsSchema,
  identifier,
  list,
  oneOf,
  pageQuerySchema,
  recordPageSchema,
  refer,
  secretShown,
  time,
  timeShown,
  wantedCapabilities
} from '../../common/schema.js'

/** `/v1/admin/tokens`: schemas and operations. */

const maxNameLength = 128

const tokenIdSchema = identifier('Id of the token. Not secret.', 'tok_7e2d9c4b1a8f6350')
const nameSchema = Type.String({
  minLength: 1,
  maxLength: maxNameLength,
  description: 'Any name, e.g. what the token is for.',
  examples: ['shop backend']
})
const scopeList = (options: Type.TArrayOptions) => list(oneOf(scopes, 'What the holder of the token may do.'), options)

const tokenSchema = Type.Object(
  {
    tokenId: tokenIdSchema,
    name: nameSchema,
    scopes: scopeList({}),
    clients: clientPatternsSchema,
    ...capabilitySchemas,
    createdAt: timeShown('When it was created.'),
    expiresAt: Type.Optional(timeShown('When it expires. Never if omitted.'))
  },
  {
    $id: 'Token',
    description:
      'An API token. Only a keyed hash of the token itself is stored. Its lists limit the tickets that its holder creates.'
  }
)

const createdTokenSchema = Type.Object(
  { ...tokenSchema.properties, token: secretShown('The token itself.', 'cs_at_…') },
  { $id: 'CreatedToken', description: 'A new API token.' }
)

const newTokenSchema = Type.Object(
  {
    name: nameSchema,
    scopes: scopeList({ minItems: 1, maxItems: scopes.length, uniqueItems: true }),
    clients: Type.Optional(clientPatternsSchema),
    ...wantedCapabilities,
    expiresAt: Type.Optional(time('When it expires. Never if omitted.'))
  },
  {
    $id: 'NewToken',
    additionalProperties: false,
    description:
      '`clients` is required for the scope `tickets`; `["*"]` allows any client. The other lists default to empty, so the tickets that its holder creates have no permissions.',
    examples: [{ name: 'shop backend', scopes: ['tickets'], clients: ['web-*'], services: ['*'] }]
  }
)

const tokenPageSchema = recordPageSchema(tokenSchema, 'TokenPage')
export const tokenTag: Tag = { name: 'Tokens', description: 'API tokens: who may call this API.' }
const tags = [tokenTag.name]

export const tokenCalls = {
  create: {
    tags,
    operationId: 'createToken',
    summary: 'Create an API token',
    security: needs('admin'),
    body: refer(newTokenSchema),
    response: { 201: refer(createdTokenSchema, 'The token.') },
    refusals: refusals(ofBody)
  },
  list: {
    tags,
    operationId: 'listTokens',
    summary: 'List API tokens',
    description: 'Ordered by id. The tokens themselves are never included.',
    security: needs('admin', 'read'),
    querystring: pageQuerySchema,
    response: { 200: refer(tokenPageSchema, 'A page of tokens.') },
    refusals: refusals([400])
  },
  remove: {
    tags,
    operationId: 'deleteToken',
    summary: 'Delete an API token',
    description:
      'The token is refused at once. Tickets that its holder created stay valid until they expire. It also removes a token whose record does not open.',
    security: needs('admin'),
    params: Type.Object({ tokenId: tokenIdSchema }),
    response: { 204: noContent('The token is deleted.') },
    refusals: refusals([400, 404], { 404: 'the token does not exist' })
  }
} as const

export const tokenSchemas = [tokenSchema, createdTokenSchema, tokenPageSchema, newTokenSchema]
