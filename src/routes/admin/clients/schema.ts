import Type from 'typebox'
import { maxLiveKeys } from '../../../registry/client-keys.js'
import { needs, nothing, ofBody, refusals } from '../../common/operation.js'
import {
  attributesSchema,
  capabilitySchemas,
  clientIdSchema,
  keyIdSchema,
  list,
  oneOf,
  pageQuerySchema,
  pageSchema,
  refer,
  secretShown,
  timeShown,
  wantedCapabilities
} from '../../common/schema.js'

/** `/v1/admin/clients`: its shapes and calls. */

/** Longest overlap of a rotation, in seconds: 30 days. */
const maxOverlapSeconds = 30 * 24 * 60 * 60

const status = oneOf(['active', 'suspended'], 'A suspended client cannot connect, nor can its tickets.')

const keySchema = Type.Object(
  {
    keyId: keyIdSchema,
    createdAt: timeShown('When it was made.'),
    expiresAt: Type.Optional(timeShown('When it ends, or ended: a newer key took its place.')),
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
    createdAt: timeShown('When it was made.'),
    updatedAt: timeShown('When it was last changed.'),
    keys: list(refer(keySchema), { description: 'Its keys, oldest first; ended ones stay in sight for a while.' })
  },
  { $id: 'Client', description: 'Who may connect, and with which rights.' }
)

const createdClientSchema = Type.Object(
  {
    ...clientSchema.properties,
    keyId: keyIdSchema,
    secret: secretShown('The first key’s secret.', 'cs_sk_…')
  },
  { $id: 'CreatedClient', description: 'A new client with the secret of its first key.' }
)

const createdKeySchema = Type.Object(
  {
    clientId: clientIdSchema,
    keyId: keyIdSchema,
    secret: secretShown('The new key’s secret.', 'cs_sk_…'),
    previousExpiresAt: timeShown('When the keys before it end.')
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
      'Without a `clientId` one is made. `services` is `["*"]` where it is missing, the other lists are empty.',
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
    description: 'What is missing stays; a list or `attributes` is replaced as a whole.',
    examples: [{ status: 'suspended' }]
  }
)

const newKeySchema = Type.Object(
  {
    overlap: Type.Integer({
      minimum: 0,
      maximum: maxOverlapSeconds,
      description: 'How long the keys before it still live, in seconds.',
      examples: [3600]
    }),
    force: Type.Optional(Type.Boolean({ description: 'Rotate although an earlier overlap still runs.' }))
  },
  { $id: 'NewKey', additionalProperties: false, examples: [{ overlap: 3600 }] }
)

const clientParams = Type.Object({ clientId: clientIdSchema })
const keyParams = Type.Object({ clientId: clientIdSchema, keyId: keyIdSchema })
const clientPageSchema = pageSchema(clientSchema, 'ClientPage')
const tags = ['Clients']
const noClient = { 404: 'there is no such client' }

export const clientCalls = {
  create: {
    tags,
    operationId: 'createClient',
    summary: 'Create a client',
    description: 'Makes a client and its first key.',
    security: needs('admin'),
    body: refer(newClientSchema),
    response: {
      201: refer(createdClientSchema, 'The client, with `keyId` and `secret`.')
    },
    refusals: refusals([...ofBody, 409], { 409: 'the `clientId` is taken' })
  },
  list: {
    tags,
    operationId: 'listClients',
    summary: 'List clients',
    description: 'In the order of their ids. Never with a secret.',
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
    refusals: refusals([400, 404], noClient)
  },
  update: {
    tags,
    operationId: 'updateClient',
    summary: 'Change or suspend a client',
    description:
      'Changed rights end its sessions with `SESSION_EXPIRED`: they come back with the new ones. Suspension ends them with `SESSION_REVOKED`.',
    security: needs('admin'),
    params: clientParams,
    body: refer(clientPatchSchema),
    response: { 200: refer(clientSchema, 'The client as it is now.') },
    refusals: refusals([...ofBody, 404], noClient)
  },
  remove: {
    tags,
    operationId: 'deleteClient',
    summary: 'Delete a client',
    description: 'Its sessions end with `SESSION_REVOKED`.',
    security: needs('admin'),
    params: clientParams,
    response: { 204: nothing('It is gone.') },
    refusals: refusals([400, 404], noClient)
  },
  rotateKey: {
    tags,
    operationId: 'createKey',
    summary: 'Rotate a client’s key',
    description: `Makes a new key; the ones before it end after the overlap. A client has at most ${maxLiveKeys} live keys: with \`force\` the oldest end at once.`,
    security: needs('admin'),
    params: clientParams,
    body: refer(newKeySchema),
    response: {
      201: refer(createdKeySchema, 'The new key.')
    },
    refusals: refusals([...ofBody, 404, 409], { ...noClient, 409: 'an earlier overlap still runs' })
  },
  revokeKey: {
    tags,
    operationId: 'revokeKey',
    summary: 'Revoke a key or a ticket',
    description:
      'Its live sessions end with `SESSION_REVOKED` within 2 seconds, on every instance. To revoke again changes nothing.',
    security: needs('admin'),
    params: keyParams,
    response: {
      204: nothing('It is revoked.')
    },
    refusals: refusals([400, 404], { 404: 'there is no such client, or no such key or ticket of it' })
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
