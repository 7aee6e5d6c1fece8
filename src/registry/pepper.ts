import type { StoredRecord } from '../store/store.js'
import { CannotUnseal } from './aead.js'
import type { Keyring } from './keyring.js'
import type { RecordSealer } from './records.js'

/**
 * The pepper: 32 random bytes that key every hash in the store. It is created with the store and kept sealed in the
 * store's identity (`identity.ts`), so the master key can change while the hashes stay the same. Its own record is
 * older than the identity: earlier versions need it, and it holds the format of the records.
 */

/** None of the configured master keys opens this store. */
export class WrongMasterKey extends Error {
  override readonly name = 'WrongMasterKey'

  constructor() {
    super('none of the master keys opens this store: configure the one it was created with')
  }
}

export interface PepperRecord {
  /** Base64. */
  readonly pepper: string
  /** Whether every record is sealed. False only in stores of earlier versions, until they are migrated. */
  readonly sealsRecords: boolean
}

export const pepperId = 'pepper'
export const pepperKey = `meta:${pepperId}` as const

/** The pepper of the store in use. A restored backup brings another one. */
export class Pepper {
  #bytes: Uint8Array

  /** @param bytes  32 bytes */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get bytes(): Uint8Array {
    return this.#bytes
  }

  /** Replaces the bytes: existing hashers and sealers use the new ones from now on. */
  replace(bytes: Uint8Array): void {
    this.#bytes = bytes
  }
}

/** Whether a record has the form of earlier versions: JSON text with only secrets sealed. */
export function isPlainRecord({ text }: Pick<StoredRecord, 'text'>): boolean {
  return text.startsWith('{')
}

/** Opens the record in both forms, and seals it in the current one. */
export function createPepperSealer(keyring: Keyring): RecordSealer {
  const seal: RecordSealer['seal'] = (key, value) => keyring.seal('pepper', JSON.stringify(value), key)
  return {
    seal,
    sealLatest: seal,
    open<T>(stored: StoredRecord): T {
      try {
        return unsealPepper(keyring, stored) as T
      } catch (error) {
        if (!(error instanceof CannotUnseal || error instanceof SyntaxError)) throw error
        throw new WrongMasterKey()
      }
    },
    isStale: ({ text }) => keyring.isStale(text)
  }
}

function unsealPepper(keyring: Keyring, stored: StoredRecord): PepperRecord {
  const { key, text } = stored
  if (!isPlainRecord(stored)) return JSON.parse(keyring.unseal('pepper', text, key))
  const { sealed = '' }: { sealed?: string } = JSON.parse(text)
  return { pepper: keyring.unseal('pepper', sealed, key), sealsRecords: false }
}
