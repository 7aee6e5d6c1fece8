import type { ValidationCode } from '../protocol/codes.js'
import type { Attributes } from '../protocol/messages.js'

/** A license and what decides of it. Times are unix milliseconds. */
export interface LicenseRecord {
  readonly licenseId: string
  readonly serviceId: string
  readonly status: 'active' | 'suspended' | 'revoked'
  readonly maxHwids: number
  /** Live sessions whose last validate of it was VALID; absent: any number. */
  readonly maxSessions?: number
  /** Good from this moment on, inclusive. */
  readonly startsAt?: number
  /** Good before this moment. */
  readonly expiresAt?: number
  readonly attributes: Attributes
  /** The import that brought it: until that is committed the license is not there for anyone. */
  readonly importId?: string
  readonly hwids: readonly { readonly hwid: string; readonly boundAt: number }[]
  readonly bannedHwids: readonly string[]
  readonly createdAt: number
  readonly updatedAt: number
}

/**
 * What a license says to a hwid, in the order of PROTOCOL §7 as far as the record alone can tell. Hwids are compared
 * byte for byte as decoded, never normalised.
 * @returns VALID: bound already; BIND: a seat is free and everything else passes
 */
export function judge(license: LicenseRecord, hwid: string | undefined, now: number): ValidationCode | 'BIND' {
  if (license.status === 'revoked') return 'REVOKED'
  if (license.status === 'suspended') return 'SUSPENDED'
  if (license.startsAt !== undefined && now < license.startsAt) return 'NOT_YET_VALID'
  if (license.expiresAt !== undefined && now >= license.expiresAt) return 'EXPIRED'
  if (hwid === undefined) return 'HWID_REQUIRED'
  if (license.bannedHwids.includes(hwid)) return 'HWID_BANNED'
  if (license.hwids.some(each => each.hwid === hwid)) return 'VALID'
  if (license.hwids.length < license.maxHwids) return 'BIND'
  return license.maxHwids === 1 ? 'HWID_MISMATCH' : 'TOO_MANY_HWIDS'
}
