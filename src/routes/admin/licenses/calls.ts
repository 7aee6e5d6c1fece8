import Type from 'typebox'
import { needs, noContent, ofBody, refusals, unreadable } from '../../common/operation.js'
import type { Tag } from '../../common/resource.js'
import { hwidSchema, pageQuerySchema, refer } from '../../common/schema.js'
import {
  banSchema,
  createdLicenseSchema,
  licenseIdSchema,
  licensePageSchema,
  licensePatchSchema,
  licenseSchema,
  newLicenseSchema
} from './schema.js'

/** `/v1/admin/licenses`: operations. */

const licenseParams = Type.Object({ licenseId: licenseIdSchema })
const hwidParams = Type.Object({ licenseId: licenseIdSchema, hwid: hwidSchema })
export const licenseTag: Tag = {
  name: 'Licenses',
  description: 'Permissions to use a service: keys, hwids, limits and dates.'
}
const tags = [licenseTag.name]
const noLicense = { 404: 'the license does not exist' }

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
    description: 'Ordered by id. Keys are never included.',
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
    refusals: refusals([400, 404, 409], { ...noLicense, ...unreadable })
  },
  update: {
    tags,
    operationId: 'updateLicense',
    summary: 'Change, suspend or revoke a license',
    security: needs('admin'),
    params: licenseParams,
    body: refer(licensePatchSchema),
    response: { 200: refer(licenseSchema, 'The changed license.') },
    refusals: refusals([...ofBody, 404, 409], { ...noLicense, ...unreadable })
  },
  remove: {
    tags,
    operationId: 'deleteLicense',
    summary: 'Delete a license',
    description: 'It also removes a license whose record does not open.',
    security: needs('admin'),
    params: licenseParams,
    response: { 204: noContent('The license is deleted.') },
    refusals: refusals([400, 404], noLicense)
  },
  resetHwids: {
    tags,
    operationId: 'resetHwids',
    summary: 'Unbind every hwid',
    description: 'Removes all hwid bindings. Bans stay.',
    security: needs('admin'),
    params: licenseParams,
    response: { 204: noContent('No hwid is bound.') },
    refusals: refusals([400, 404, 409], { ...noLicense, ...unreadable })
  },
  resetHwid: {
    tags,
    operationId: 'resetHwid',
    summary: 'Unbind one hwid',
    description: 'Removes the binding of one hwid.',
    security: needs('admin'),
    params: hwidParams,
    response: {
      204: noContent('The hwid is no longer bound.')
    },
    refusals: refusals([400, 404, 409], {
      404: 'the license does not exist, or the hwid is not bound to it',
      ...unreadable
    })
  },
  banHwid: {
    tags,
    operationId: 'banHwid',
    summary: 'Ban a hwid, or lift its ban',
    security: needs('admin'),
    params: hwidParams,
    body: refer(banSchema),
    response: {
      200: refer(licenseSchema, 'The changed license.')
    },
    refusals: refusals([...ofBody, 404, 409], { ...noLicense, ...unreadable })
  }
} as const
