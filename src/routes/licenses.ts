import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type, { type Static } from 'typebox'
import { ApiError } from '../errors.js'
import { hwidBytes, licenseKeyBytes } from '../protocol/limits.js'
import { type License, type Licenses, maxHwidsBound } from '../registry/licenses.js'
import {
  attributesSchema,
  formatTime,
  hwidSchema,
  identifierSchema,
  licenseKeySchema,
  pageOf,
  pageQuerySchema,
  parseTime,
  requireAttributes,
  requireText,
  timeSchema
} from './schemas.js'

const maxSessionsSchema = Type.Integer({ minimum: 1, maximum: 1_000_000 })
const maxHwidsSchema = Type.Integer({ minimum: 1, maximum: maxHwidsBound })
const licenseParams = Type.Object({ licenseId: identifierSchema })
const hwidParams = Type.Object({ licenseId: identifierSchema, hwid: hwidSchema })

export const newLicenseSchema = Type.Object(
  {
    serviceId: identifierSchema,
    key: Type.Optional(licenseKeySchema),
    maxHwids: Type.Optional(maxHwidsSchema),
    maxSessions: Type.Optional(maxSessionsSchema),
    startsAt: Type.Optional(timeSchema),
    expiresAt: Type.Optional(timeSchema),
    attributes: Type.Optional(attributesSchema)
  },
  { additionalProperties: false }
)

const nullable = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

const licensePatchSchema = Type.Object(
  {
    status: Type.Optional(Type.Union([Type.Literal('active'), Type.Literal('suspended'), Type.Literal('revoked')])),
    maxHwids: Type.Optional(maxHwidsSchema),
    maxSessions: nullable(maxSessionsSchema),
    startsAt: nullable(timeSchema),
    expiresAt: nullable(timeSchema),
    attributes: Type.Optional(attributesSchema)
  },
  { additionalProperties: false, minProperties: 1 }
)

const banSchema = Type.Object({ banned: Type.Boolean() }, { additionalProperties: false })

function show({ startsAt, expiresAt, createdAt, updatedAt, hwids, importId: _, ...license }: License) {
  return {
    ...license,
    ...(startsAt === undefined ? {} : { startsAt: formatTime(startsAt) }),
    ...(expiresAt === undefined ? {} : { expiresAt: formatTime(expiresAt) }),
    createdAt: formatTime(createdAt),
    updatedAt: formatTime(updatedAt),
    hwids: hwids.map(({ hwid, boundAt }) => ({ hwid, boundAt: formatTime(boundAt) }))
  }
}

/** The bounds that JSON Schema cannot say, and times as numbers. `null` stays: it takes a date away. */
function readDates<Body extends Static<typeof licensePatchSchema>>(body: Body) {
  requireAttributes(body.attributes)
  const { startsAt, expiresAt, ...rest } = body
  const read = (text: string | null) => (text === null ? null : parseTime(text))
  return {
    ...rest,
    ...(startsAt === undefined ? {} : { startsAt: read(startsAt) }),
    ...(expiresAt === undefined ? {} : { expiresAt: read(expiresAt) })
  }
}

export function readNewLicense({ startsAt, expiresAt, ...rest }: Static<typeof newLicenseSchema>) {
  requireAttributes(rest.attributes)
  if (rest.key !== undefined) requireText('key', rest.key, licenseKeyBytes)
  return {
    ...rest,
    ...(startsAt === undefined ? {} : { startsAt: parseTime(startsAt) }),
    ...(expiresAt === undefined ? {} : { expiresAt: parseTime(expiresAt) })
  }
}

/** `/v1/admin/licenses`: licenses and the hwids bound to them. A key is in one answer only, that of its making. */
export function licenseRoutes(licenses: Licenses): FastifyPluginAsyncTypebox {
  return async app => {
    app.post('/licenses', { schema: { body: newLicenseSchema } }, async (request, reply) => {
      const { license, key } = await licenses.create(readNewLicense(request.body), request.actor)
      return reply.code(201).send({ ...show(license), key })
    })

    app.get('/licenses', { schema: { querystring: pageQuerySchema } }, request =>
      pageOf(request.query, licenses.list, license => license.licenseId, show)
    )

    app.get('/licenses/:licenseId', { schema: { params: licenseParams } }, async request => {
      const license = await licenses.get(request.params.licenseId)
      if (license === undefined) throw new ApiError('NOT_FOUND', `there is no license ${request.params.licenseId}`)
      return show(license)
    })

    app.patch('/licenses/:licenseId', { schema: { params: licenseParams, body: licensePatchSchema } }, async request =>
      show(await licenses.update(request.params.licenseId, readDates(request.body), request.actor))
    )

    app.delete('/licenses/:licenseId', { schema: { params: licenseParams } }, async (request, reply) => {
      await licenses.remove(request.params.licenseId, request.actor)
      return reply.code(204).send()
    })

    app.delete('/licenses/:licenseId/hwids', { schema: { params: licenseParams } }, async (request, reply) => {
      await licenses.resetHwids(request.params.licenseId, undefined, request.actor)
      return reply.code(204).send()
    })

    app.delete('/licenses/:licenseId/hwids/:hwid', { schema: { params: hwidParams } }, async (request, reply) => {
      await licenses.resetHwids(request.params.licenseId, request.params.hwid, request.actor)
      return reply.code(204).send()
    })

    app.put('/licenses/:licenseId/hwids/:hwid', { schema: { params: hwidParams, body: banSchema } }, async request => {
      const { licenseId, hwid } = request.params
      requireText('hwid', hwid, hwidBytes)
      return show(await licenses.setBanned(licenseId, hwid, request.body.banned, request.actor))
    })
  }
}
