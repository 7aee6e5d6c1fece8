import { Compile } from 'typebox/compile'
import { attributeNameBytes, attributePairs, attributeValueBytes, licenseKeyBytes } from '../../protocol/limits.js'
import { licenseRules } from '../../routes/admin/licenses/rules.js'
import { type ImportedLicenseBody, importedLicenseSchema, licenseLimits } from '../../routes/admin/licenses/schema.js'
import { parseTime } from '../times.js'
import { invisibleIn, trimKey } from './key-text.js'
import { listNames } from './names.js'
import { type Fault, ignoredMembers, type Row, type Rows } from './read.js'

/**
 * Applies every rule of the HTTP API to a whole file before anything is sent. No message quotes a value: if columns are
 * mixed up, any of them may be a key. Names of members are shown only beside known ones.
 */

/** Licenses per file, bounded by memory. */
export const maxImportLicenses = 1_000_000

const timeText = 'a time like 2030-01-31 or 2030-01-31T12:00:00Z, with its zone'

/** Expected value of each member. */
const texts: Readonly<Record<keyof ImportedLicenseBody, string>> = {
  serviceId: '1 to 64 letters, digits, dots, dashes and underscores, starting with a letter or digit',
  key: `a text of 1 to ${licenseKeyBytes} bytes`,
  keyHash: 'the keyHash of a license in `licenses export`',
  maxHwids: `an integer from 1 to ${licenseLimits.maxHwids}`,
  maxSessions: `an integer from 1 to ${licenseLimits.maxSessions}`,
  startsAt: timeText,
  expiresAt: timeText,
  attributes:
    `an object of at most ${attributePairs} texts: names of at most ${attributeNameBytes} bytes, ` +
    `texts of at most ${attributeValueBytes}`,
  status: 'active, suspended or revoked',
  hwids: `a JSON array of at most ${licenseLimits.maxHwids} objects {hwid, boundAt}`,
  bannedHwids: `a JSON array of at most ${licenseLimits.bannedHwids} hwids`
}

const members = Object.entries(texts).map(([name, text]) => ({
  name,
  text,
  schema: Compile(importedLicenseSchema.properties[name as keyof ImportedLicenseBody])
}))

/** @returns the fault of one present member, without its value */
function checkMember({ name, text, schema }: (typeof members)[number], license: Row['license']): string[] {
  const value = license[name]
  if (value === undefined) return []
  if (!schema.Check(value)) return [`${name}: ${text}`]
  try {
    licenseRules[name]?.({ [name]: value })
    return []
  } catch (error) {
    // Other messages than those that begin with the member repeat an attribute's name, or a time.
    const why = error instanceof Error && error.message.startsWith(`${name}: `) ? error.message : `${name}: ${text}`
    return [why]
  }
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
  const names = Object.keys(license)
  const unknown = names.filter(name => !Object.hasOwn(texts, name))
  const listed = `${unknown.length} unknown members${listNames(unknown, unknown.length < names.length)}`
  const wrong = members.flatMap(member => checkMember(member, license))
  const found = [...missing, ...(unknown.length > 0 ? [listed] : []), ...wrong, ...checkKey(license)]
  return found.map(text => ({ line, text }))
}

/** A license for the API: without columns that the gateway sets by itself, with dates converted to times. */
function normalize({ line, license }: Row): Row {
  const sent = Object.entries(license).filter(([name]) => !ignoredMembers.includes(name))
  const converted = sent.map(([name, value]) => {
    if (typeof value !== 'string') return [name, value]
    if (name === 'key') return [name, trimKey(value)]
    return [name, ['startsAt', 'expiresAt'].includes(name) ? (parseTime(value) ?? value) : value]
  })
  return { line, license: Object.fromEntries(converted) }
}

export interface CheckedRows {
  readonly licenses: readonly Row[]
  readonly faults: readonly Fault[]
  /** Lines whose keys had surrounding invisible characters, which are not sent. */
  readonly trimmedLines: readonly number[]
}

/** @returns licenses to send, and every fault in order of lines. If there is a fault, nothing may be sent. */
export function checkRows({ rows, faults }: Rows): CheckedRows {
  const found = [...faults]
  const trimmedLines: number[] = []
  const firstLines = new Map<string, number>()
  const licenses = rows.map(normalize)
  for (const [i, row] of rows.entries()) {
    found.push(...checkRow(licenses[i] ?? row))
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
  return { licenses, faults: found.sort((a, b) => a.line - b.line), trimmedLines }
}
