import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ApiError } from '../../../errors.js'
import { hwidBytes, licenseKeyBytes } from '../../../protocol/limits.js'
import type { License } from '../../../registry/licenses.js'
import { formatTime, pageOf, parseTime, requireAttributes, requireText } from '../../values.js'
import type { AdminDependencies, AdminResource } from '../resource.js'
import { type LicensePatchBody, licenseCalls, licenseSchemas, licenseTag, type NewLicenseBody } from './schema.js'

function formatLicense({ startsAt, expiresAt, createdAt, updatedAt, hwids, importId: _, ...license }: License) {
  return {
    ...license,
    ...(startsAt === undefined ? {} : { startsAt: formatTime(startsAt) }),
    ...(expiresAt === undefined ? {} : { expiresAt: formatTime(expiresAt) }),
    createdAt: formatTime(createdAt),
    updatedAt: formatTime(updatedAt),
    hwids: hwids.map(({ hwid, boundAt }) => ({ hwid, boundAt: formatTime(boundAt) }))
  }
}

/** `null` removes a date and stays as it is. @throws ApiError BAD_REQUEST */
function parsePatch({ startsAt, expiresAt, ...rest }: LicensePatchBody) {
  requireAttributes(rest.attributes)
  const parse = (text: string | null) => (text === null ? null : parseTime(text))
  return {
    ...rest,
    ...(startsAt === undefined ? {} : { startsAt: parse(startsAt) }),
    ...(expiresAt === undefined ? {} : { expiresAt: parse(expiresAt) })
  }
}

/**
 * Checks the limits that JSON Schema cannot express, and converts times to unix milliseconds.
 * @throws ApiError BAD_REQUEST
 */
export function parseNewLicense({ startsAt, expiresAt, ...rest }: NewLicenseBody) {
  requireAttributes(rest.attributes)
  if (rest.key !== undefined) requireText('key', rest.key, licenseKeyBytes)
  return {
    ...rest,
    ...(startsAt === undefined ? {} : { startsAt: parseTime(startsAt) }),
    ...(expiresAt === undefined ? {} : { expiresAt: parseTime(expiresAt) })
  }
}

function routes({ registry: { licenses } }: AdminDependencies): FastifyPluginAsyncTypebox {
  return async app => {
    app.post('/licenses', { schema: licenseCalls.create }, async (request, reply) => {
      const { license, key } = await licenses.create(parseNewLicense(request.body), request.actor)
      return reply.code(201).send({ ...formatLicense(license), key })
    })

    app.get('/licenses', { schema: licenseCalls.list }, request =>
      pageOf(
        request.query,
        (after, limit) => licenses.list(after, limit),
        license => license.licenseId,
        formatLicense
      )
    )

    app.get('/licenses/:licenseId', { schema: licenseCalls.get }, async request => {
      const license = await licenses.get(request.params.licenseId)
      if (license === undefined) throw new ApiError('NOT_FOUND', `there is no license ${request.params.licenseId}`)
      return formatLicense(license)
    })

    app.patch('/licenses/:licenseId', { schema: licenseCalls.update }, async request =>
      formatLicense(await licenses.update(request.params.licenseId, parsePatch(request.body), request.actor))
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
      return formatLicense(await licenses.setBanned(licenseId, hwid, request.body.banned, request.actor))
    })
  }
}

/** `/v1/admin/licenses`: licenses and their hwids. Only the response that creates a license contains its key. */
export const licenseResource: AdminResource = { tags: [licenseTag], schemas: licenseSchemas, routes }
