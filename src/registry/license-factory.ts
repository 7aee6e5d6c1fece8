import type { Attributes } from '../protocol/messages.js'
import type { Hasher } from './keyring.js'
import type { License } from './license-rules.js'
import { RegistryError } from './records.js'

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

/** A license of an import: with its key, or with the hash of its key from an export. */
export interface ImportedLicense
  extends Omit<NewLicense, 'key'>,
    Partial<Pick<License, 'status' | 'hwids' | 'bannedHwids'>> {
  readonly by: { readonly key: string } | { readonly keyHash: string }
}

/** `<fingerprint of the pepper>.<hash>.<check of hash and serviceId>`, each in hex. */
export const keyHashPattern = '^[0-9a-f]{8}[.][0-9a-f]{32}[.][0-9a-f]{8}$'

const idPrefix = 'lic_'
const idChars = 32
const shortChars = 8

/** Makes the records and the ids of new licenses. */
export class LicenseFactory {
  readonly #hash: Hasher
  readonly #exportHash: Hasher
  readonly #now: () => number

  /** @param exportHash  keyed hash that an export adds to the hash of a key */
  constructor(hash: Hasher, exportHash: Hasher, now: () => number) {
    this.#hash = hash
    this.#exportHash = exportHash
    this.#now = now
  }

  /**
   * The id is a keyed hash of service and key (128 bits of it): a license is found by its key in one read, a key is
   * unique within its service, and the key itself is not stored. A serviceId cannot contain the separating space.
   */
  idOf(serviceId: string, key: string): string {
    return idPrefix + this.#hash(`${serviceId} ${key}`).slice(0, idChars)
  }

  /** The representation of a license's key in an export. Without the pepper it reveals nothing about the key. */
  keyHashOf({ licenseId, serviceId }: Pick<License, 'licenseId' | 'serviceId'>): string {
    const hash = licenseId.slice(idPrefix.length)
    return `${this.#fingerprint()}.${hash}.${this.#checkOf(serviceId, hash)}`
  }

  create({ key, ...rest }: NewLicense & { readonly key: string }): License {
    return this.#create(this.idOf(rest.serviceId, key), rest)
  }

  /** @throws RegistryError CONFLICT: the key's hash comes from another store, or belongs to another service */
  createImported({ by, ...rest }: ImportedLicense): License {
    const { serviceId } = rest
    return this.#create('key' in by ? this.idOf(serviceId, by.key) : this.#idOfHash(serviceId, by.keyHash), rest)
  }

  #create(licenseId: string, wanted: Omit<ImportedLicense, 'by'>): License {
    const at = this.#now()
    return {
      maxHwids: 1,
      attributes: {},
      status: 'active',
      hwids: [],
      bannedHwids: [],
      ...wanted,
      licenseId,
      createdAt: at,
      updatedAt: at
    }
  }

  #idOfHash(serviceId: string, keyHash: string): string {
    const [fingerprint = '', hash = '', check = ''] = keyHash.split('.')
    if (fingerprint !== this.#fingerprint()) {
      throw new RegistryError(
        'CONFLICT',
        `keyHash: it comes from another store (pepper ${fingerprint}, this store has ${this.#fingerprint()}), so no key ` +
          'would match it: import it into the store that exported it or one restored from its backup, or import the ' +
          'keys themselves'
      )
    }
    if (check !== this.#checkOf(serviceId, hash)) {
      throw new RegistryError('CONFLICT', 'keyHash: it was changed, or belongs to another serviceId')
    }
    return idPrefix + hash
  }

  #fingerprint(): string {
    return this.#exportHash('pepper').slice(0, shortChars)
  }

  #checkOf(serviceId: string, hash: string): string {
    return this.#exportHash(`${serviceId} ${hash}`).slice(0, shortChars)
  }
}
