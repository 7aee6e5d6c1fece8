import Type from 'typebox'
import { maxLiveKeys } from '../../../registry/client-keys.js'
import { needs, noContent, ofBody, refusals, unreadable } from '../../common/operation.js'
import type { Tag } from '../../common/resource.js'
import {
  attributesSchema,
  capabilitySchemas,
  clientIdSchema,
  keyIdSchema,
  list,
  oneOf,
  pageQuerySchema,
  recordPageSchema,
  refer,
  secretShown,
  timeShown,
  wantedCapabilities
} from '../../common/schema.js'

/** `/v1/admin/clients`: schemas and operations. */

/** Longest overlap of a key rotation, in seconds: 30 days. */
const maxOverlapSeconds = 30 * 24 * 60 * 60

const status = oneOf(
  ['active', 'suspended'],
  'A suspended client cannot connect, and neither can the holders of its tickets.'
)

const keySchema = Type.Object(
  {
    keyId: keyIdSchema,
    createdAt: timeShown('When it was created.'),
    expiresAt: Type.Optional(timeShown('When it expires or expired, because a newer key replaces it.')),
    revokedAt: Type.Optional(timeShown('When it was revoked.'))
  },
  { $id: 'Key', description: 'A key of a client, without its secret.' }
)

const clientSchema = Type.Object(
  {
    clientId: clientIdSchema,
    status,
    ...capabilitySchemas,
    attributes: attributesSchema,
    createdAt: timeShown('When it was created.'),
    updatedAt: timeShown('When it was last changed.'),
    keys: list(refer(keySchema), { description: 'Its keys, oldest first. Recently ended keys are included.' })
  },
  { $id: 'Client', description: 'A program that may connect, with its permissions and keys.' }
)

const createdClientSchema = Type.Object(
  {
    ...clientSchema.properties,
    keyId: keyIdSchema,
    secret: secretShown('The secret of the first key.', 'cs_sk_…')
  },
  { $id: 'CreatedClient', description: 'A new client with the secret of its first key.' }
)

const createdKeySchema = Type.Object(
  {
    clientId: clientIdSchema,
    keyId: keyIdSchema,
    secret: secretShown('The secret of the new key.', 'cs_sk_…'),
    previousExpiresAt: timeShown('When the previous keys expire at the latest.')
  },
  { $id: 'CreatedKey', description: 'A new key with its secret.' }
)

const newClientSchema = Type.Object(
  {
    clientId: Type.Optional(clientIdSchema),
    ...wantedCapabilities,
    attributes: Type.Optional(attributesSchema)
  },
  {
    $id: 'NewClient',
    additionalProperties: false,
    description:
      'Without a `clientId`, the gateway generates one. `services` defaults to `["*"]`, the other lists to empty.',
    examples: [{ clientId: 'game-1', subscribe: ['match:*'], publish: ['match:1'] }]
  }
)

const clientPatchSchema = Type.Object(
  {
    ...wantedCapabilities,
    attributes: Type.Optional(attributesSchema),
    status: Type.Optional(status)
  },
  {
    $id: 'ClientPatch',
    additionalProperties: false,
    minProperties: 1,
    description: 'Omitted members keep their values. A list and `attributes` are replaced as a whole.',
    examples: [{ status: 'suspended' }]
  }
)

const newKeySchema = Type.Object(
  {
    overlap: Type.Integer({
      minimum: 0,
      maximum: maxOverlapSeconds,
      description: 'How long the previous keys stay valid, in seconds.',
      examples: [3600]
    }),
    force: Type.Optional(Type.Boolean({ description: 'Rotate even if an earlier overlap has not ended.' }))
  },
  { $id: 'NewKey', additionalProperties: false, examples: [{ overlap: 3600 }] }
)

const clientParams = Type.Object({ clientId: clientIdSchema })
const keyParams = Type.Object({ clientId: clientIdSchema, keyId: keyIdSchema })
const clientPageSchema = recordPageSchema(clientSchema, 'ClientPage')
export const clientTag: Tag = {
  name: 'Clients',
  description: 'Programs that may connect, with their permissions and keys.'
}
const tags = [clientTag.name]
const noClient = { 404: 'the client does not exist' }

export const clientCalls = {
  create: {
    tags,
    operationId: 'createClient',
    summary: 'Create a client',
    description: 'Creates a client and its first key.',
    security: needs('admin'),
    body: refer(newClientSchema),
    response: {
      201: refer(createdClientSchema, 'The client, with `keyId` and `secret`.')
    },
    refusals: refusals([...ofBody, 409], { 409: 'the `clientId` exists already' })
  },
  list: {
    tags,
    operationId: 'listClients',
    summary: 'List clients',
    description: 'Ordered by id. Secrets are never included.',
    security: needs('admin', 'read'),
    querystring: pageQuerySchema,
    response: { 200: refer(clientPageSchema, 'A page of clients.') },
    refusals: refusals([400])
  },
  get: {
    tags,
    operationId: 'getClient',
    summary: 'Get a client',
    security: needs('admin', 'read'),
    params: clientParams,
    response: { 200: refer(clientSchema, 'The client and its keys.') },
    refusals: refusals([400, 404, 409], { ...noClient, ...unreadable })
  },
  update: {
    tags,
    operationId: 'updateClient',
    summary: 'Change or suspend a client',
    description:
      'If only `subscribe` becomes narrower, its sessions stay up and lose the subscriptions that are no longer allowed. Any other change of the lists ends its sessions with `SESSION_EXPIRED`; they reconnect with the new permissions. Suspension ends them with `SESSION_REVOKED`.',
    security: needs('admin'),
    params: clientParams,
    body: refer(clientPatchSchema),
    response: { 200: refer(clientSchema, 'The changed client.') },
    refusals: refusals([...ofBody, 404, 409], { ...noClient, ...unreadable })
  },
  remove: {
    tags,
    operationId: 'deleteClient',
    summary: 'Delete a client',
    description: 'Its sessions end with `SESSION_REVOKED`. It also removes a client whose record does not open.',
    security: needs('admin'),
    params: clientParams,
    response: { 204: noContent('The client is deleted.') },
    refusals: refusals([400, 404], noClient)
  },
  rotateKey: {
    tags,
    operationId: 'createKey',
    summary: 'Rotate a client’s key',
    description: `Creates a key. The previous keys expire after the overlap. A client has at most ${maxLiveKeys} live keys: with \`force\`, the oldest expire at once.`,
    security: needs('admin'),
    params: clientParams,
    body: refer(newKeySchema),
    response: {
      201: refer(createdKeySchema, 'The new key.')
    },
    refusals: refusals([...ofBody, 404, 409], {
      ...noClient,
      409: 'an earlier overlap has not ended, or the record of the client does not open'
    })
  },
  revokeKey: {
    tags,
    operationId: 'revokeKey',
    summary: 'Revoke a key or a ticket',
    description:
      'Ends its live sessions with `SESSION_REVOKED` within 2 seconds, on every instance. Revoking a key again changes nothing.',
    security: needs('admin'),
    params: keyParams,
    response: {
      204: noContent('The key or ticket is revoked.')
    },
    refusals: refusals([400, 404, 409], {
      404: 'the client does not exist, or has no such key or ticket',
      ...unreadable
    })
  }
} as const

export const clientSchemas = [
  keySchema,
  clientSchema,
  createdClientSchema,
  createdKeySchema,
  clientPageSchema,
  newClientSchema,
  clientPatchSchema,
  newKeySchema
]
