import type { Attributes } from '../protocol/messages.js'
import type { Hasher } from './keyring.js'
import type { License } from './license-rules.js'

export interface NewLicense {
  readonly serviceId: string
  readonly key?: string
  readonly maxHwids?: number
  readonly maxSessions?: number
  /** Unix milliseconds. */
  readonly startsAt?: number
  readonly expiresAt?: number
  readonly attributes?: Attributes
}

export type NewLicenseWithKey = NewLicense & { readonly key: string }

/** Makes the records of new licenses, and the ids by which they are found. */
export class LicenseFactory {
  readonly #hash: Hasher
  readonly #now: () => number

  constructor(hash: Hasher, now: () => number) {
    this.#hash = hash
    this.#now = now
  }

  /**
   * The id is a keyed hash of service and key (128 bits of it): one read finds the license of a key, a key exists once
   * per service, and the key itself is not stored. A serviceId cannot contain the separating space.
   */
  idOf(serviceId: string, key: string): string {
    return `lic_${this.#hash(`${serviceId} ${key}`).slice(0, 32)}`
  }

  create({ key, serviceId, ...rest }: NewLicenseWithKey): License {
    const at = this.#now()
    return {
      maxHwids: 1,
      attributes: {},
      ...rest,
      licenseId: this.idOf(serviceId, key),
      serviceId,
      status: 'active',
      hwids: [],
      bannedHwids: [],
      createdAt: at,
      updatedAt: at
    }
  }
}
