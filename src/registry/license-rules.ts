import type { ValidationCode } from '../protocol/codes.js'
import type { Attributes } from '../protocol/messages.js'

/** A permanent binding of a license to a piece of hardware, unlike a session slot, which ends with its session. */
export interface HwidBinding {
  readonly hwid: string
  /** Unix milliseconds. */
  readonly boundAt: number
}

/** A license as stored and as shown to operators. Its key is not part of it. Times are unix milliseconds. */
export interface License {
  readonly licenseId: string
  readonly serviceId: string
  readonly status: 'active' | 'suspended' | 'revoked'
  /** Most hwid bindings. */
  readonly maxHwids: number
  /** Most session slots: live sessions whose last validate of this license was VALID. Absent: unlimited. */
  readonly maxSessions?: number
  /** Inclusive. */
  readonly startsAt?: number
  /** Exclusive. */
  readonly expiresAt?: number
  readonly attributes: Attributes
  /** The import that created the license. The license is invisible until that import is committed. */
  readonly importId?: string
  readonly hwids: readonly HwidBinding[]
  readonly bannedHwids: readonly string[]
  readonly createdAt: number
  readonly updatedAt: number
}

/**
 * Evaluates a license for a hwid, in the order of PROTOCOL §7, as far as its record alone decides. Compares hwids byte
 * for byte as decoded, without Unicode normalisation.
 * @param now  unix milliseconds
 * @returns VALID if the hwid is bound; BIND if everything passes and the hwid can be bound
 */
export function evaluate(license: License, hwid: string | undefined, now: number): ValidationCode | 'BIND' {
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
