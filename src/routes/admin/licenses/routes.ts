import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ApiError } from '../../../errors.js'
import { hwidBytes, licenseKeyBytes } from '../../../protocol/limits.js'
import type { License, Licenses } from '../../../registry/licenses.js'
import { formatTime, pageOf, parseTime, requireAttributes, requireText } from '../../values.js'
import { type LicensePatchBody, licenseCalls, type NewLicenseBody } from './schema.js'

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
function readDates<Body extends LicensePatchBody>(body: Body) {
  requireAttributes(body.attributes)
  const { startsAt, expiresAt, ...rest } = body
  const read = (text: string | null) => (text === null ? null : parseTime(text))
  return {
    ...rest,
    ...(startsAt === undefined ? {} : { startsAt: read(startsAt) }),
    ...(expiresAt === undefined ? {} : { expiresAt: read(expiresAt) })
  }
}

export function readNewLicense({ startsAt, expiresAt, ...rest }: NewLicenseBody) {
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
    app.post('/licenses', { schema: licenseCalls.create }, async (request, reply) => {
      const { license, key } = await licenses.create(readNewLicense(request.body), request.actor)
      return reply.code(201).send({ ...show(license), key })
    })

    app.get('/licenses', { schema: licenseCalls.list }, request =>
      pageOf(
        request.query,
        (after, limit) => licenses.list(after, limit),
        license => license.licenseId,
        show
      )
    )

    app.get('/licenses/:licenseId', { schema: licenseCalls.get }, async request => {
      const license = await licenses.get(request.params.licenseId)
      if (license === undefined) throw new ApiError('NOT_FOUND', `there is no license ${request.params.licenseId}`)
      return show(license)
    })

    app.patch('/licenses/:licenseId', { schema: licenseCalls.update }, async request =>
      show(await licenses.update(request.params.licenseId, readDates(request.body), request.actor))
    )

    app.delete('/licenses/:licenseId', { schema: licenseCalls.remove }, async (request, reply) => {
      await licenses.remove(request.params.licenseId, request.actor)
      return reply.code(204).send()
    })

    app.delete('/licenses/:licenseId/hwids', { schema: licenseCalls.resetHwids }, async (request, reply) => {
      await licenses.unbindAll(request.params.licenseId, request.actor)
      return reply.code(204).send()
    })

    app.delete('/licenses/:licenseId/hwids/:hwid', { schema: licenseCalls.resetHwid }, async (request, reply) => {
      await licenses.unbind(request.params.licenseId, request.params.hwid, request.actor)
      return reply.code(204).send()
    })

    app.put('/licenses/:licenseId/hwids/:hwid', { schema: licenseCalls.banHwid }, async request => {
      const { licenseId, hwid } = request.params
      requireText('hwid', hwid, hwidBytes)
      return show(await licenses.setBanned(licenseId, hwid, request.body.banned, request.actor))
    })
  }
}
