import { ApiError } from '../../../errors.js'
import { hwidBytes, licenseKeyBytes } from '../../../protocol/limits.js'
import { parseTime, requireAttributes, requireText } from '../../values.js'
import type { ImportedLicenseBody } from './schema.js'

/** @throws ApiError BAD_REQUEST */
function requireHwids(name: string, hwids: readonly string[]): void {
  for (const hwid of hwids) requireText(name, hwid, hwidBytes)
  if (new Set(hwids).size < hwids.length) throw new ApiError('BAD_REQUEST', `${name}: the same hwid twice`)
}

function requireTime(text: string | undefined): void {
  if (text !== undefined) parseTime(text)
}

/**
 * Rules for a license that JSON Schema cannot express, by the member that each applies to. `licenses import` applies them
 * to a whole file before it sends anything. Each throws ApiError BAD_REQUEST.
 */
export const licenseRules: Readonly<Record<string, (license: Partial<ImportedLicenseBody>) => void>> = {
  key: ({ key = '' }) => requireText('key', key, licenseKeyBytes),
  startsAt: ({ startsAt }) => requireTime(startsAt),
  expiresAt: ({ expiresAt }) => requireTime(expiresAt),
  attributes: ({ attributes }) => requireAttributes(attributes),
  hwids({ hwids = [] }) {
    requireHwids(
      'hwids',
      hwids.map(({ hwid }) => hwid)
    )
    for (const { boundAt } of hwids) parseTime(boundAt)
  },
  bannedHwids: ({ bannedHwids = [] }) => requireHwids('bannedHwids', bannedHwids)
}

/** @throws ApiError BAD_REQUEST */
export function requireLicenseRules(license: Partial<ImportedLicenseBody>): void {
  for (const rule of Object.values(licenseRules)) rule(license)
}
