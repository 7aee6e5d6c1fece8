import type { ValidationCode } from '../protocol/codes.js'
import type { Attributes } from '../protocol/messages.js'
import type { DurableStore, RecordKey } from '../store/store.js'
import type { Audit } from './audit.js'
import { changeRecord, RegistryError, readRecord } from './changes.js'
import type { createImportOutcomes } from './imports.js'
import type { Hasher } from './keyring.js'
import { judge, type LicenseRecord } from './license-rules.js'
import { createLicenseKey } from './secrets.js'

/** Hwids that one license may bind, and hwids that may be banned on it. */
export const maxHwidsBound = 1000
export const maxHwidsBanned = 1000

/** A license as operators see it. Its key is kept as a keyed hash only. */
export type License = LicenseRecord

export interface NewLicense {
  readonly serviceId: string
  readonly key?: string
  readonly maxHwids?: number
  readonly maxSessions?: number
  readonly startsAt?: number
  readonly expiresAt?: number
  readonly attributes?: Attributes
}

/** `null` takes a bound or a date away. */
export interface LicensePatch {
  readonly status?: LicenseRecord['status']
  readonly maxHwids?: number
  readonly maxSessions?: number | null
  readonly startsAt?: number | null
  readonly expiresAt?: number | null
  readonly attributes?: Attributes
}

export interface Validation {
  readonly code: ValidationCode
  readonly license?: License
}

function keyOf(licenseId: string): RecordKey {
  return `license:${licenseId}`
}

export type Licenses = ReturnType<typeof createLicenses>

/** Licenses and the hardware ids that are bound to them. */
export function createLicenses(
  records: DurableStore,
  outcomes: ReturnType<typeof createImportOutcomes>,
  hash: Hasher,
  audit: Audit,
  now: () => number
) {
  /**
   * A license's id follows from its service and key by a keyed hash (128 bits of it), so that a key is found with one
   * look, exists once, and is stored nowhere. No serviceId contains a space.
   */
  function idOf(serviceId: string, key: string): string {
    return `lic_${hash(`${serviceId} ${key}`).slice(0, 32)}`
  }

  /** A license of an import that was not committed is not there. */
  async function visible(license: License | undefined): Promise<License | undefined> {
    return license !== undefined && (await outcomes.isVisible(license)) ? license : undefined
  }

  /** The record of a new license; its key stays out of it. */
  function prepare({ key, serviceId, ...rest }: NewLicense & { readonly key: string }): License {
    const at = now()
    return {
      maxHwids: 1,
      attributes: {},
      ...rest,
      licenseId: idOf(serviceId, key),
      serviceId,
      status: 'active',
      hwids: [],
      bannedHwids: [],
      createdAt: at,
      updatedAt: at
    }
  }

  function changeLicense<R>(
    licenseId: string,
    actor: string,
    action: string,
    decide: (license: License) => { write: License | 'remove'; detail?: Record<string, unknown>; result: R }
  ): Promise<R> {
    return changeRecord<License, R>(records, keyOf(licenseId), async stored => {
      const license = await visible(stored)
      if (license === undefined) throw new RegistryError('NOT_FOUND', `there is no license ${licenseId}`)
      const { write, detail, result } = decide(license)
      return { write, audit: audit.entry(actor, action, keyOf(licenseId), detail), result }
    })
  }

  return {
    /**
     * @returns the license and its key, which is shown this once
     * @throws RegistryError CONFLICT: the service has this key already
     */
    create(wanted: NewLicense, actor: string): Promise<{ readonly license: License; readonly key: string }> {
      const key = wanted.key ?? createLicenseKey()
      const license = prepare({ ...wanted, key })
      const { licenseId, serviceId } = license
      return changeRecord<License, { license: License; key: string }>(records, keyOf(licenseId), async existing => {
        const presence = existing === undefined ? 'left' : await outcomes.presenceOf(existing)
        if (presence !== 'left') {
          const soon = presence === 'pending' ? ', or gets one by the import that runs' : ' already'
          throw new RegistryError('CONFLICT', `the service ${serviceId} has a license with this key${soon}`)
        }
        const entry = audit.entry(actor, 'license.create', keyOf(licenseId), { serviceId })
        return { write: license, audit: entry, result: { license, key } }
      })
    },

    prepare,

    async get(licenseId: string): Promise<License | undefined> {
      const stored = await records.get(keyOf(licenseId))
      return visible(stored === undefined ? undefined : readRecord<License>(stored))
    },

    /** In the order of their ids, after `after`. */
    async list(after: string, limit: number): Promise<readonly License[]> {
      const found: License[] = []
      let last = after
      while (found.length < limit) {
        const page = (await records.list('license', last, limit)).map(readRecord<License>)
        for (const license of page) if (found.length < limit && (await visible(license))) found.push(license)
        last = page.at(-1)?.licenseId ?? ''
        if (page.length < limit) break
      }
      return found
    },

    /** @throws RegistryError NOT_FOUND */
    update(licenseId: string, patch: LicensePatch, actor: string): Promise<License> {
      return changeLicense(licenseId, actor, 'license.update', license => {
        const { startsAt, expiresAt, maxSessions, ...rest } = { ...license, ...patch, updatedAt: now() }
        const write: License = {
          ...rest,
          ...(startsAt == null ? {} : { startsAt }),
          ...(expiresAt == null ? {} : { expiresAt }),
          ...(maxSessions == null ? {} : { maxSessions })
        }
        return { write, detail: { ...patch }, result: write }
      })
    },

    /** @throws RegistryError NOT_FOUND */
    remove(licenseId: string, actor: string): Promise<void> {
      return changeLicense(licenseId, actor, 'license.delete', () => ({ write: 'remove', result: undefined }))
    },

    /**
     * Frees the seat of one hwid, or of all.
     * @throws RegistryError NOT_FOUND: no such license, or the hwid is not bound
     */
    resetHwids(licenseId: string, hwid: string | undefined, actor: string): Promise<void> {
      return changeLicense(licenseId, actor, 'license.reset', license => {
        const hwids = hwid === undefined ? [] : license.hwids.filter(each => each.hwid !== hwid)
        if (hwid !== undefined && hwids.length === license.hwids.length) {
          throw new RegistryError('NOT_FOUND', 'this hwid is not bound to the license')
        }
        return { write: { ...license, hwids, updatedAt: now() }, detail: { hwid: hwid ?? '*' }, result: undefined }
      })
    },

    /** @throws RegistryError NOT_FOUND; BAD_REQUEST: too many bans */
    setBanned(licenseId: string, hwid: string, banned: boolean, actor: string): Promise<License> {
      return changeLicense(licenseId, actor, banned ? 'license.ban' : 'license.unban', license => {
        const others = license.bannedHwids.filter(each => each !== hwid)
        if (banned && others.length >= maxHwidsBanned) {
          throw new RegistryError('BAD_REQUEST', `a license bans at most ${maxHwidsBanned} hwids`)
        }
        const write = { ...license, bannedHwids: banned ? [...others, hwid] : others, updatedAt: now() }
        return { write, detail: { hwid }, result: write }
      })
    },

    /**
     * Whether a key is good on a hwid, now (PROTOCOL §7). A free seat is bound only where everything else passes, in
     * one change with that judgement: of many hwids that race for one seat exactly one gets it.
     * @param takeSeat  asked last, before a hwid is bound: whether one more session may sit on the license
     * @param actor     who asks, for the audit log
     */
    async validate(
      serviceId: string,
      key: string,
      hwid: string | undefined,
      takeSeat: (license: License) => Promise<boolean>,
      actor: string
    ): Promise<Validation> {
      const licenseId = idOf(serviceId, key)
      const license = await this.get(licenseId)
      if (license === undefined) return { code: 'NOT_FOUND' }
      const first = judge(license, hwid, now())
      if (first !== 'VALID' && first !== 'BIND') return { code: first, license }
      if (!(await takeSeat(license))) return { code: 'TOO_MANY_SESSIONS', license }
      if (first === 'VALID') return { code: 'VALID', license }

      return changeRecord<License, Validation>(records, keyOf(licenseId), async stored => {
        const current = await visible(stored)
        if (current === undefined) return { result: { code: 'NOT_FOUND' } }
        const verdict = judge(current, hwid, now())
        if (verdict !== 'BIND' || hwid === undefined) {
          return { result: { code: verdict === 'BIND' ? 'HWID_REQUIRED' : verdict, license: current } }
        }
        const write = { ...current, hwids: [...current.hwids, { hwid, boundAt: now() }], updatedAt: now() }
        const entry = audit.entry(actor, 'license.bind', keyOf(licenseId), { hwid })
        return { write, audit: entry, result: { code: 'VALID', license: write } }
      })
    }
  }
}
