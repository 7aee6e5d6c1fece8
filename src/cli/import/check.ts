import {
  attributeNameBytes,
  attributePairs,
  attributeValueBytes,
  hwidBytes,
  licenseKeyBytes
} from '../../protocol/limits.js'
import { isRecord } from '../output.js'
import { parseTime } from '../times.js'
import { invisibleIn, trimKey } from './key-text.js'
import { listNames } from './names.js'
import { type Fault, ignoredMembers, type Row, type Rows } from './read.js'

/**
 * Applies every rule of the HTTP API to a whole file before anything is sent. No message repeats a value: when columns
 * are mixed up, any of them may be a key. Names of members are shown beside known ones only.
 */

export interface CheckedLicense {
  readonly line: number
  readonly license: Readonly<Record<string, unknown>>
}

/** Licenses per file, bounded by memory. */
export const maxImportLicenses = 1_000_000

// The limits of POST /v1/admin/licenses.
const serviceIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const maxHwids = 1000
const maxBanned = 1000
const keyHashPattern = /^[0-9a-f]{8}[.][0-9a-f]{32}[.][0-9a-f]{8}$/
const statuses: readonly unknown[] = ['active', 'suspended', 'revoked']
const maxSessions = 1_000_000

function isText(value: unknown, maxBytes: number): value is string {
  return typeof value === 'string' && Buffer.byteLength(value) <= maxBytes && value.isWellFormed()
}

function isCount(value: unknown, max: number): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max
}

function isHwid(value: unknown): boolean {
  return isText(value, hwidBytes) && value !== ''
}

function isList(value: unknown, max: number, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length <= max && value.every(isItem)
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && parseTime(value) !== undefined
}

function isAttribute([name, value]: [string, unknown]): boolean {
  return name !== '' && isText(name, attributeNameBytes) && isText(value, attributeValueBytes)
}

interface Rule {
  readonly isValid: (value: unknown) => boolean
  /** What the value must be. */
  readonly text: string
}

const timeText = 'a time like 2030-01-31 or 2030-01-31T12:00:00Z, with its zone'

/** Rules by the member that they apply to. A missing member is not checked. */
const rules: Readonly<Record<string, readonly Rule[]>> = {
  serviceId: [
    {
      isValid: value => typeof value === 'string' && serviceIdPattern.test(value),
      text: '1 to 64 letters, digits, dots, dashes and underscores, starting with a letter or digit'
    }
  ],
  key: [
    {
      isValid: value => isText(value, licenseKeyBytes) && trimKey(value) !== '',
      text: `a text of 1 to ${licenseKeyBytes} bytes`
    }
  ],
  keyHash: [
    {
      isValid: value => typeof value === 'string' && keyHashPattern.test(value),
      text: 'the keyHash of a license in `licenses export`'
    }
  ],
  status: [{ isValid: value => statuses.includes(value), text: 'active, suspended or revoked' }],
  hwids: [
    {
      isValid: value =>
        isList(value, maxHwids, item => isRecord(item) && isHwid(item['hwid']) && isTime(item['boundAt'])),
      text: `a JSON array of at most ${maxHwids} objects {hwid, boundAt}`
    }
  ],
  bannedHwids: [
    { isValid: value => isList(value, maxBanned, isHwid), text: `a JSON array of at most ${maxBanned} hwids` }
  ],
  maxHwids: [{ isValid: value => isCount(value, maxHwids), text: `an integer from 1 to ${maxHwids}` }],
  maxSessions: [{ isValid: value => isCount(value, maxSessions), text: `an integer from 1 to ${maxSessions}` }],
  startsAt: [{ isValid: isTime, text: timeText }],
  expiresAt: [{ isValid: isTime, text: timeText }],
  attributes: [
    { isValid: isRecord, text: 'an object of texts' },
    { isValid: value => Object.keys(Object(value)).length <= attributePairs, text: `at most ${attributePairs}` },
    {
      isValid: value => Object.entries(Object(value)).every(isAttribute),
      text: `names of at most ${attributeNameBytes} bytes, texts of at most ${attributeValueBytes}`
    }
  ]
}

function checkKey({ key }: Row['license']): string[] {
  const char = typeof key === 'string' ? invisibleIn(key) : undefined
  return char === undefined ? [] : [`key: holds ${char}, which nobody sees: remove it`]
}

function checkRow({ line, license }: Row): Fault[] {
  const missing = license['serviceId'] === undefined ? ['serviceId is missing'] : []
  if (license['key'] === undefined && license['keyHash'] === undefined) missing.push('key is missing')
  if (license['key'] !== undefined && license['keyHash'] !== undefined)
    missing.push('key and keyHash: give one of them')
  const names = Object.keys(license).filter(name => !ignoredMembers.includes(name))
  const unknown = names.filter(name => !Object.hasOwn(rules, name))
  const wrong = Object.entries(rules).flatMap(([name, rulesOfMember]) => {
    const value = license[name]
    const broken = value === undefined ? undefined : rulesOfMember.find(({ isValid }) => !isValid(value))
    return broken === undefined ? [] : [`${name}: ${broken.text}`]
  })
  const members = `${unknown.length} unknown members${listNames(unknown, unknown.length < names.length)}`
  const texts = [...missing, ...(unknown.length > 0 ? [members] : []), ...wrong, ...checkKey(license)]
  return texts.map(text => ({ line, text }))
}

/** A license as the API accepts it, with dates converted to times. */
function normalize({ line, license }: Row): CheckedLicense {
  const times = ['startsAt', 'expiresAt'].flatMap(name => {
    const value = license[name]
    return typeof value === 'string' ? [[name, parseTime(value)]] : []
  })
  const { key } = license
  const trimmed = typeof key === 'string' ? { key: trimKey(key) } : {}
  const sent = Object.entries(license).filter(([name]) => !ignoredMembers.includes(name))
  return { line, license: { ...Object.fromEntries(sent), ...trimmed, ...Object.fromEntries(times) } }
}

export interface CheckedRows {
  readonly licenses: readonly CheckedLicense[]
  readonly faults: readonly Fault[]
  /** Lines whose keys had invisible characters around them, which are not sent. */
  readonly trimmedLines: readonly number[]
}

/** @returns licenses to send, and every fault in the order of lines. If there is a fault, nothing may be sent. */
export function checkRows({ rows, faults }: Rows): CheckedRows {
  const found = [...faults]
  const trimmedLines: number[] = []
  const firstLines = new Map<string, number>()
  for (const row of rows) {
    found.push(...checkRow(row))
    const { serviceId, keyHash } = row.license
    const key = row.license['key'] ?? keyHash
    if (typeof serviceId !== 'string' || typeof key !== 'string') continue
    // A valid serviceId has no space.
    const id = `${serviceId} ${trimKey(key)}`
    if (trimKey(key) !== key) trimmedLines.push(row.line)
    const first = firstLines.get(id)
    if (first === undefined) firstLines.set(id, row.line)
    else found.push({ line: row.line, text: `the same serviceId and key as on line ${first}` })
  }
  if (rows.length > maxImportLicenses) {
    found.push({ line: rows.at(-1)?.line ?? 0, text: `more than ${maxImportLicenses} licenses: split the file` })
  }
  return { licenses: rows.map(normalize), faults: found.sort((a, b) => a.line - b.line), trimmedLines }
}
