import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ApiError } from '../../../errors.js'
import { hwidBytes } from '../../../protocol/limits.js'
import type { ImportedLicense } from '../../../registry/license-factory.js'
import type { License } from '../../../registry/licenses.js'
import { formatTime, parseTime, recordPageOf, requireAttributes, requireText } from '../../values.js'
import type { AdminDependencies, AdminResource } from '../resource.js'
import { licenseCalls, licenseTag } from './calls.js'
import { requireLicenseRules } from './rules.js'
import { type ImportedLicenseBody, type LicensePatchBody, licenseSchemas, type NewLicenseBody } from './schema.js'

type Licenses = AdminDependencies['registry']['licenses']

function formatLicense(licenses: Licenses, license: License) {
  const { startsAt, expiresAt, createdAt, updatedAt, hwids, importId: _, ...rest } = license
  return {
    ...rest,
    keyHash: licenses.keyHashOf(license),
    ...(startsAt === undefined ? {} : { startsAt: formatTime(startsAt) }),
    ...(expiresAt === undefined ? {} : { expiresAt: formatTime(expiresAt) }),
    createdAt: formatTime(createdAt),
    updatedAt: formatTime(updatedAt),
    hwids: hwids.map(({ hwid, boundAt }) => ({ hwid, boundAt: formatTime(boundAt) }))
  }
}

/** `null` removes a date and is passed on unchanged. @throws ApiError BAD_REQUEST */
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
export function parseNewLicense(license: NewLicenseBody) {
  requireLicenseRules(license)
  const { startsAt, expiresAt, ...rest } = license
  return {
    ...rest,
    ...(startsAt === undefined ? {} : { startsAt: parseTime(startsAt) }),
    ...(expiresAt === undefined ? {} : { expiresAt: parseTime(expiresAt) })
  }
}

/** As {@link parseNewLicense}, for a license of an import. @throws ApiError BAD_REQUEST */
export function parseImportedLicense(license: ImportedLicenseBody): ImportedLicense {
  const { key, keyHash, hwids, ...rest } = license
  if ((key === undefined) === (keyHash === undefined)) {
    throw new ApiError('BAD_REQUEST', 'either key or keyHash is needed, and not both')
  }
  requireLicenseRules(license)
  const bound = hwids?.map(({ hwid, boundAt }) => ({ hwid, boundAt: parseTime(boundAt) }))
  return {
    ...parseNewLicense(rest),
    ...(rest.status === undefined ? {} : { status: rest.status }),
    ...(rest.bannedHwids === undefined ? {} : { bannedHwids: rest.bannedHwids }),
    ...(bound === undefined ? {} : { hwids: bound }),
    by: keyHash === undefined ? { key: key ?? '' } : { keyHash }
  }
}

function routes({ registry: { licenses } }: AdminDependencies): FastifyPluginAsyncTypebox {
  const format = (license: License) => formatLicense(licenses, license)
  return async app => {
    app.post('/licenses', { schema: licenseCalls.create }, async (request, reply) => {
      const { license, key } = await licenses.create(parseNewLicense(request.body), request.actor)
      return reply.code(201).send({ ...format(license), key })
    })

    app.get('/licenses', { schema: licenseCalls.list }, request => recordPageOf(request.query, licenses, format))

    app.get('/licenses/:licenseId', { schema: licenseCalls.get }, async request => {
      const license = await licenses.get(request.params.licenseId)
      if (license === undefined) throw new ApiError('NOT_FOUND', `there is no license ${request.params.licenseId}`)
      return format(license)
    })

    app.patch('/licenses/:licenseId', { schema: licenseCalls.update }, async request =>
      format(await licenses.update(request.params.licenseId, parsePatch(request.body), request.actor))
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
      return format(await licenses.setBanned(licenseId, hwid, request.body.banned, request.actor))
    })
  }
}

/** `/v1/admin/licenses`: licenses and their hwids. Only the response that creates a license contains its key. */
export const licenseResource: AdminResource = { tags: [licenseTag], schemas: licenseSchemas, routes }
