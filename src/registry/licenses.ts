import type { ValidationCode } from '../protocol/codes.js'
import type { Attributes } from '../protocol/messages.js'
import { StoreUnavailable } from '../store/store.js'
import type { AuditLog } from './audit.js'
import type { ImportStatus, Visibility } from './import-status.js'
import type { LicenseFactory, NewLicense } from './license-factory.js'
import { evaluate, type License } from './license-rules.js'
import { type RecordAccess, type RecordPage, RecordTable, RegistryError, UnreadableRecord } from './records.js'
import { createLicenseKey } from './secrets.js'

export type { License } from './license-rules.js'

/** Most hwids that one license can bind. */
export const maxHwidsBound = 1000
/** Most hwids that can be banned on one license. */
export const maxHwidsBanned = 1000

/** `null` removes a bound or a date. Times are unix milliseconds. */
export interface LicensePatch {
  readonly status?: License['status']
  readonly maxHwids?: number
  readonly maxSessions?: number | null
  readonly startsAt?: number | null
  readonly expiresAt?: number | null
  readonly attributes?: Attributes
}

/** Outcome of a validation. `license` is absent for NOT_FOUND. */
export interface Validation {
  readonly code: ValidationCode
  readonly license?: License
}

/** Input of {@link Licenses.validate}. */
export interface ValidationRequest {
  readonly serviceId: string
  readonly key: string
  readonly hwid: string | undefined
  /** For the audit log, e.g. `client:<clientId>`. */
  readonly actor: string
  /** Called last, before a hwid is bound. @returns false if the license has no free session slot */
  readonly acquireSlot: (license: License) => Promise<boolean>
}

interface LicenseChange<R> {
  readonly write: License | 'remove'
  readonly detail?: Readonly<Record<string, unknown>>
  readonly result: R
  /** See `Change`. */
  readonly isProtective?: boolean
}

/** Licenses and the hwids bound to them. */
export class Licenses {
  readonly #table: RecordTable<License>
  readonly #factory: LicenseFactory
  readonly #imports: ImportStatus
  readonly #audit: AuditLog
  readonly #now: () => number

  constructor(
    records: RecordAccess,
    factory: LicenseFactory,
    imports: ImportStatus,
    audit: AuditLog,
    now: () => number
  ) {
    this.#table = new RecordTable(records, 'license')
    this.#factory = factory
    this.#imports = imports
    this.#audit = audit
    this.#now = now
  }

  /**
   * @returns the license and its key, which is returned only once
   * @throws RegistryError CONFLICT: the service has this key already
   */
  create(wanted: NewLicense, actor: string): Promise<{ readonly license: License; readonly key: string }> {
    const key = wanted.key ?? createLicenseKey()
    const license = this.#factory.create({ ...wanted, key })
    const { licenseId, serviceId } = license
    return this.#table.change(licenseId, async existing => {
      const visibility = existing === undefined ? 'abandoned' : await this.#visibilityOf(existing)
      if (visibility !== 'abandoned') {
        const where = visibility === 'pending' ? ' in an open import' : ''
        throw new RegistryError('CONFLICT', `the service ${serviceId} already has a license with this key${where}`)
      }
      const audit = this.#audit.entry(actor, 'license.create', this.#table.key(licenseId), { serviceId })
      return { write: license, audit, result: { license, key } }
    })
  }

  /** See {@link LicenseFactory.keyHashOf}. */
  keyHashOf(license: License): string {
    return this.#factory.keyHashOf(license)
  }

  async get(licenseId: string): Promise<License | undefined> {
    return this.#visible(await this.#table.get(licenseId))
  }

  /** Visible licenses, see {@link RecordTable.list}. */
  list(after: string, limit: number): Promise<RecordPage<License>> {
    return this.#table.list(after, limit, async license => (await this.#visibilityOf(license)) === 'visible')
  }

  /** @throws RegistryError NOT_FOUND */
  update(licenseId: string, patch: LicensePatch, actor: string): Promise<License> {
    return this.#change(licenseId, actor, 'license.update', license => {
      const { startsAt, expiresAt, maxSessions, ...rest } = { ...license, ...patch, updatedAt: this.#now() }
      const write: License = {
        ...rest,
        ...(startsAt == null ? {} : { startsAt }),
        ...(expiresAt == null ? {} : { expiresAt }),
        ...(maxSessions == null ? {} : { maxSessions })
      }
      return { write, detail: { ...patch }, result: write, isProtective: (patch.status ?? 'active') !== 'active' }
    })
  }

  /** @throws RegistryError NOT_FOUND */
  remove(licenseId: string, actor: string): Promise<void> {
    const action = 'license.delete'
    const remove = () =>
      this.#change<void>(licenseId, actor, action, () => ({
        ...{ write: 'remove', result: undefined, isProtective: true }
      }))
    const audit = this.#audit.entry(actor, action, this.#table.key(licenseId), { wasUnreadable: true })
    return this.#table.removeEvenUnreadable(licenseId, remove, { audit })
  }

  /** Removes all hwid bindings. Bans stay. @throws RegistryError NOT_FOUND */
  unbindAll(licenseId: string, actor: string): Promise<void> {
    return this.#change(licenseId, actor, 'license.reset', license => ({
      write: { ...license, hwids: [], updatedAt: this.#now() },
      detail: { hwid: '*' },
      result: undefined,
      isProtective: true
    }))
  }

  /** Removes one hwid binding. @throws RegistryError NOT_FOUND: no such license, or the hwid is not bound to it */
  unbind(licenseId: string, hwid: string, actor: string): Promise<void> {
    return this.#change(licenseId, actor, 'license.reset', license => {
      const hwids = license.hwids.filter(each => each.hwid !== hwid)
      if (hwids.length === license.hwids.length) {
        throw new RegistryError('NOT_FOUND', `the hwid ${hwid} is not bound to the license ${licenseId}`)
      }
      const write = { ...license, hwids, updatedAt: this.#now() }
      return { write, detail: { hwid }, result: undefined, isProtective: true }
    })
  }

  /** @throws RegistryError NOT_FOUND; BAD_REQUEST: the license has {@link maxHwidsBanned} bans already */
  setBanned(licenseId: string, hwid: string, banned: boolean, actor: string): Promise<License> {
    return this.#change(licenseId, actor, banned ? 'license.ban' : 'license.unban', license => {
      const others = license.bannedHwids.filter(each => each !== hwid)
      if (banned && others.length >= maxHwidsBanned) {
        throw new RegistryError(
          'BAD_REQUEST',
          `the license has ${others.length} banned hwids; the limit is ${maxHwidsBanned}`
        )
      }
      const write = { ...license, bannedHwids: banned ? [...others, hwid] : others, updatedAt: this.#now() }
      return { write, detail: { hwid }, result: write, isProtective: banned }
    })
  }

  /**
   * Validates a key on a hwid (PROTOCOL §7). Binds the hwid if everything else passes. The binding is committed
   * together with its evaluation: of several hwids that compete for the last binding, exactly one gets it.
   * @throws StoreUnavailable also if the license's record cannot be opened: its state is then unknown
   */
  async validate(request: ValidationRequest): Promise<Validation> {
    try {
      return await this.#validate(request)
    } catch (error) {
      throw error instanceof UnreadableRecord ? new StoreUnavailable(error, 'unsent') : error
    }
  }

  async #validate({ serviceId, key, hwid, actor, acquireSlot }: ValidationRequest): Promise<Validation> {
    const licenseId = this.#factory.idOf(serviceId, key)
    const license = await this.get(licenseId)
    if (license === undefined) return { code: 'NOT_FOUND' }
    const code = evaluate(license, hwid, this.#now())
    if (code !== 'VALID' && code !== 'BIND') return { code, license }
    if (!(await acquireSlot(license))) return { code: 'TOO_MANY_SESSIONS', license }
    return code === 'VALID' ? { code, license } : this.#bind(licenseId, hwid, actor)
  }

  #bind(licenseId: string, hwid: string | undefined, actor: string): Promise<Validation> {
    return this.#table.change<Validation>(licenseId, async stored => {
      const license = await this.#visible(stored)
      if (license === undefined) return { result: { code: 'NOT_FOUND' } }
      const at = this.#now()
      const code = evaluate(license, hwid, at)
      if (code !== 'BIND') return { result: { code, license } }
      if (hwid === undefined) return { result: { code: 'HWID_REQUIRED', license } }
      const write = { ...license, hwids: [...license.hwids, { hwid, boundAt: at }], updatedAt: at }
      const audit = this.#audit.entry(actor, 'license.bind', this.#table.key(licenseId), { hwid })
      return { write, audit, result: { code: 'VALID', license: write } }
    })
  }

  async #visible(license: License | undefined): Promise<License | undefined> {
    return license !== undefined && (await this.#visibilityOf(license)) === 'visible' ? license : undefined
  }

  /** @throws UnreadableRecord that names the license, also if the record of its import cannot be opened */
  async #visibilityOf(license: License): Promise<Visibility> {
    try {
      return await this.#imports.visibilityOf(license)
    } catch (error) {
      throw error instanceof UnreadableRecord ? new UnreadableRecord(this.#table.key(license.licenseId)) : error
    }
  }

  /** Changes an existing, visible license. */
  #change<R>(
    licenseId: string,
    actor: string,
    action: string,
    decide: (license: License) => LicenseChange<R>
  ): Promise<R> {
    return this.#table.change<R>(licenseId, async stored => {
      const license = await this.#visible(stored)
      if (license === undefined) throw new RegistryError('NOT_FOUND', `there is no license ${licenseId}`)
      const { write, detail, result, isProtective = false } = decide(license)
      const audit = this.#audit.entry(actor, action, this.#table.key(licenseId), detail)
      return { write, audit, result, isProtective }
    })
  }
}
