import Type, { type Static } from 'typebox'
import { maxHwidsBanned, maxHwidsBound } from '../../../registry/licenses.js'
import { needs, nothing, ofBody, refusals } from '../../common/operation.js'
import {
  attributesSchema,
  hwidSchema,
  identifier,
  licenseKeySchema,
  list,
  oneOf,
  pageQuerySchema,
  pageSchema,
  refer,
  serviceIdSchema,
  time,
  timeShown
} from '../../common/schema.js'

/** `/v1/admin/licenses`: its shapes and calls. */

const licenseIdSchema = identifier('The license, made by the gateway.', 'lic_0b5e3f2a9c8d')
const statusSchema = oneOf(['active', 'suspended', 'revoked'], 'Only an active license is ever `VALID`.')
const maxHwidsSchema = Type.Integer({
  minimum: 1,
  maximum: maxHwidsBound,
  description: 'How many hwids may be bound to it.',
  examples: [1]
})
const maxSessionsSchema = Type.Integer({
  minimum: 1,
  maximum: 1_000_000,
  description: 'Live sessions whose last `validate` of it was `VALID`. Without it: any number.',
  examples: [3]
})
const startsAtSchema = time('Good from this moment on. A time in the past is fine.')
const expiresAtSchema = time('Good before this moment. A time in the past is fine.')

/** Where `null` takes it away. */
function nullable<Schema extends Type.TInteger | Type.TString>(schema: Schema) {
  return Type.Optional(Type.Unsafe<Static<Schema> | null>({ ...schema, type: [schema.type, 'null'] }))
}

const boundHwidSchema = Type.Object(
  { hwid: hwidSchema, boundAt: timeShown('When it took its seat.') },
  { $id: 'BoundHwid', description: 'A hwid with a seat on the license.' }
)

const licenseSchema = Type.Object(
  {
    licenseId: licenseIdSchema,
    serviceId: serviceIdSchema,
    status: statusSchema,
    maxHwids: maxHwidsSchema,
    maxSessions: Type.Optional(maxSessionsSchema),
    startsAt: Type.Optional(timeShown('Good from this moment on.')),
    expiresAt: Type.Optional(timeShown('Good before this moment.')),
    attributes: attributesSchema,
    hwids: list(refer(boundHwidSchema), { description: 'Who has a seat.' }),
    bannedHwids: list(hwidSchema, { description: `Who is never let in, at most ${maxHwidsBanned}.` }),
    createdAt: timeShown('When it was made.'),
    updatedAt: timeShown('When it was last changed.')
  },
  { $id: 'License', description: 'A right to use a service. Its key is kept as a keyed hash only.' }
)

const createdLicenseSchema = Type.Object(
  { ...licenseSchema.properties, key: { ...licenseKeySchema, description: 'The license key. **Shown this once.**' } },
  { $id: 'CreatedLicense', description: 'A new license with its key.' }
)

const wanted = {
  maxHwids: Type.Optional(maxHwidsSchema),
  maxSessions: Type.Optional(maxSessionsSchema),
  startsAt: Type.Optional(startsAtSchema),
  expiresAt: Type.Optional(expiresAtSchema),
  attributes: Type.Optional(attributesSchema)
}

const newLicenseSchema = Type.Object(
  { serviceId: serviceIdSchema, key: Type.Optional(licenseKeySchema), ...wanted },
  {
    $id: 'NewLicense',
    additionalProperties: false,
    description: 'Without a `key` one is made; without `maxHwids` it is 1.',
    examples: [{ serviceId: 'my-game', maxHwids: 1, expiresAt: '2027-01-01T00:00:00Z' }]
  }
)

export const importedLicenseSchema = Type.Object(
  { serviceId: serviceIdSchema, key: licenseKeySchema, ...wanted },
  { $id: 'ImportedLicense', additionalProperties: false }
)

const licensePatchSchema = Type.Object(
  {
    status: Type.Optional(statusSchema),
    maxHwids: Type.Optional(maxHwidsSchema),
    maxSessions: nullable(maxSessionsSchema),
    startsAt: nullable(startsAtSchema),
    expiresAt: nullable(expiresAtSchema),
    attributes: Type.Optional(attributesSchema)
  },
  {
    $id: 'LicensePatch',
    additionalProperties: false,
    minProperties: 1,
    description: 'What is missing stays; `null` takes a bound or a date away.',
    examples: [{ status: 'suspended' }]
  }
)

const banSchema = Type.Object(
  { banned: Type.Boolean({ description: 'Whether the hwid is never let in.' }) },
  { $id: 'Ban', additionalProperties: false, examples: [{ banned: true }] }
)

export type NewLicenseBody = Static<typeof newLicenseSchema>
export type LicensePatchBody = Static<typeof licensePatchSchema>

const licenseParams = Type.Object({ licenseId: licenseIdSchema })
const hwidParams = Type.Object({ licenseId: licenseIdSchema, hwid: hwidSchema })
const licensePageSchema = pageSchema(licenseSchema, 'LicensePage')
const tags = ['Licenses']
const noLicense = { 404: 'there is no such license' }

export const licenseCalls = {
  create: {
    tags,
    operationId: 'createLicense',
    summary: 'Create a license',
    security: needs('admin'),
    body: refer(newLicenseSchema),
    response: {
      201: refer(createdLicenseSchema, 'The license, with its `key`.')
    },
    refusals: refusals([...ofBody, 409], { 409: 'the service has a license with this key' })
  },
  list: {
    tags,
    operationId: 'listLicenses',
    summary: 'List licenses',
    description: 'In the order of their ids. Never with a key.',
    security: needs('admin', 'read'),
    querystring: pageQuerySchema,
    response: { 200: refer(licensePageSchema, 'A page of licenses.') },
    refusals: refusals([400])
  },
  get: {
    tags,
    operationId: 'getLicense',
    summary: 'Get a license',
    security: needs('admin', 'read'),
    params: licenseParams,
    response: { 200: refer(licenseSchema, 'The license.') },
    refusals: refusals([400, 404], noLicense)
  },
  update: {
    tags,
    operationId: 'updateLicense',
    summary: 'Change, suspend or revoke a license',
    security: needs('admin'),
    params: licenseParams,
    body: refer(licensePatchSchema),
    response: { 200: refer(licenseSchema, 'The license as it is now.') },
    refusals: refusals([...ofBody, 404], noLicense)
  },
  remove: {
    tags,
    operationId: 'deleteLicense',
    summary: 'Delete a license',
    security: needs('admin'),
    params: licenseParams,
    response: { 204: nothing('It is gone.') },
    refusals: refusals([400, 404], noLicense)
  },
  resetHwids: {
    tags,
    operationId: 'resetHwids',
    summary: 'Free every seat',
    description: 'Unbinds all hwids. Bans stay.',
    security: needs('admin'),
    params: licenseParams,
    response: { 204: nothing('No hwid is bound.') },
    refusals: refusals([400, 404], noLicense)
  },
  resetHwid: {
    tags,
    operationId: 'resetHwid',
    summary: 'Free one seat',
    description: 'Unbinds one hwid.',
    security: needs('admin'),
    params: hwidParams,
    response: {
      204: nothing('The hwid is not bound any more.')
    },
    refusals: refusals([400, 404], { 404: 'there is no such license, or the hwid is not bound to it' })
  },
  banHwid: {
    tags,
    operationId: 'banHwid',
    summary: 'Ban a hwid, or end its ban',
    security: needs('admin'),
    params: hwidParams,
    body: refer(banSchema),
    response: {
      200: refer(licenseSchema, 'The license as it is now.')
    },
    refusals: refusals([...ofBody, 404], noLicense)
  }
} as const

export const licenseSchemas = [
  boundHwidSchema,
  licenseSchema,
  createdLicenseSchema,
  licensePageSchema,
  newLicenseSchema,
  importedLicenseSchema,
  licensePatchSchema,
  banSchema
]
