import Type from 'typebox'
import { scopes } from '../../../registry/tokens.js'
import { needs, nothing, ofBody, refusals } from '../../common/operation.js'
import {
  capabilitySchemas,
  clientPatternsSchema,
  identifier,
  list,
  oneOf,
  pageQuerySchema,
  pageSchema,
  refer,
  secretShown,
  time,
  timeShown,
  wantedCapabilities
} from '../../common/schema.js'

/** `/v1/admin/tokens`: its shapes and calls. */

const maxNameLength = 128

const tokenIdSchema = identifier('The token’s id. Not secret.', 'tok_7e2d9c4b1a8f6350')
const nameSchema = Type.String({
  minLength: 1,
  maxLength: maxNameLength,
  description: 'What it is for: yours to choose.',
  examples: ['shop backend']
})
const scopeList = (options: Type.TArrayOptions) => list(oneOf(scopes, 'What its holder may do.'), options)

const tokenSchema = Type.Object(
  {
    tokenId: tokenIdSchema,
    name: nameSchema,
    scopes: scopeList({}),
    clients: clientPatternsSchema,
    ...capabilitySchemas,
    createdAt: timeShown('When it was made.'),
    expiresAt: Type.Optional(timeShown('When it ends. Missing: never.'))
  },
  {
    $id: 'Token',
    description: 'An API token, without itself: it is kept as a keyed hash. Its lists cap what a ticket may get.'
  }
)

const createdTokenSchema = Type.Object(
  { ...tokenSchema.properties, token: secretShown('The token.', 'cs_at_…') },
  { $id: 'CreatedToken', description: 'A new token.' }
)

const newTokenSchema = Type.Object(
  {
    name: nameSchema,
    scopes: scopeList({ minItems: 1, maxItems: scopes.length, uniqueItems: true }),
    clients: Type.Optional(clientPatternsSchema),
    ...wantedCapabilities,
    expiresAt: Type.Optional(time('When it ends. Missing: never.'))
  },
  {
    $id: 'NewToken',
    additionalProperties: false,
    description:
      '`clients` is `["*"]` where it is missing; the other lists are empty, and so are then its tickets’ rights.',
    examples: [{ name: 'shop backend', scopes: ['tickets'], clients: ['web-*'], services: ['*'] }]
  }
)

const tokenPageSchema = pageSchema(tokenSchema, 'TokenPage')
const tags = ['Tokens']

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
    description: 'In the order of their ids. Never the tokens themselves.',
    security: needs('admin', 'read'),
    querystring: pageQuerySchema,
    response: { 200: refer(tokenPageSchema, 'A page of tokens.') },
    refusals: refusals([400])
  },
  remove: {
    tags,
    operationId: 'deleteToken',
    summary: 'Delete an API token',
    description: 'It is refused from now on. Tickets that it made live on until they end.',
    security: needs('admin'),
    params: Type.Object({ tokenId: tokenIdSchema }),
    response: { 204: nothing('It is gone.') },
    refusals: refusals([400, 404], { 404: 'there is no such token' })
  }
} as const

export const tokenSchemas = [tokenSchema, createdTokenSchema, tokenPageSchema, newTokenSchema]
