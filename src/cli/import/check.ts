import { attributeNameBytes, attributePairs, attributeValueBytes, licenseKeyBytes } from '../../protocol/limits.js'
import { isRecord } from '../output.js'
import { parseTime } from '../times.js'
import type { Fault, Row, Rows } from './read.js'

/**
 * Every rule of the HTTP API, held against a whole file before anything is sent. No message repeats a value: where
 * columns are mixed up, any of them may be a key.
 */

export interface CheckedLicense {
  readonly line: number
  readonly license: Readonly<Record<string, unknown>>
}

/** Licenses of one file: more than that is no slip of the hand, and would not fit into memory. */
export const maxImportLicenses = 1_000_000

// The bounds of POST /v1/admin/licenses.
const identifier = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const bounds = { maxHwids: 1000, maxSessions: 1_000_000 } as const

function isText(value: unknown, maxBytes: number): value is string {
  return typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= maxBytes && value.isWellFormed()
}

/** What is wrong with a member; nothing where it is right. A member that is not there is judged by `required`. */
const checks: Readonly<Record<string, (value: unknown) => string | undefined>> = {
  serviceId: value =>
    typeof value === 'string' && identifier.test(value)
      ? undefined
      : 'serviceId: 1 to 64 letters, digits, dots, dashes and underlines, the first a letter or digit',
  key: value => (isText(value, licenseKeyBytes) ? undefined : `key: a text of 1 to ${licenseKeyBytes} bytes`),
  maxHwids: value => checkCount('maxHwids', value),
  maxSessions: value => checkCount('maxSessions', value),
  startsAt: value => checkTime('startsAt', value),
  expiresAt: value => checkTime('expiresAt', value),
  attributes: checkAttributes
}

function checkCount(name: keyof typeof bounds, value: unknown): string | undefined {
  const fits = Number.isInteger(value) && Number(value) >= 1 && Number(value) <= bounds[name]
  return fits ? undefined : `${name}: a whole number from 1 to ${bounds[name]}`
}

function checkTime(name: string, value: unknown): string | undefined {
  const fits = typeof value === 'string' && parseTime(value) !== undefined
  return fits ? undefined : `${name}: a time like 2030-01-31 or 2030-01-31T12:00:00Z, with its zone`
}

function checkAttributes(value: unknown): string | undefined {
  if (!isRecord(value)) return 'attributes: an object of texts'
  const pairs = Object.entries(value)
  if (pairs.length > attributePairs) return `attributes: at most ${attributePairs}`
  const fits = pairs.every(
    ([name, text]) => isText(name, attributeNameBytes) && (text === '' || isText(text, attributeValueBytes))
  )
  return fits
    ? undefined
    : `attributes: names of at most ${attributeNameBytes} bytes, texts of at most ${attributeValueBytes}`
}

/** A license as the API takes it: dates become times. */
function normalize(license: Row['license']): Row['license'] {
  const times = ['startsAt', 'expiresAt'].flatMap(name => {
    const value = license[name]
    return typeof value === 'string' ? [[name, parseTime(value)]] : []
  })
  return { ...license, ...Object.fromEntries(times) }
}

function checkRow({ line, license }: Row): Fault[] {
  const missing = ['serviceId', 'key'].filter(name => license[name] === undefined)
  const strangers = Object.keys(license).filter(name => !Object.hasOwn(checks, name))
  const wrong = Object.entries(license).flatMap(([name, value]) => {
    const text = Object.hasOwn(checks, name) ? checks[name]?.(value) : undefined
    return text === undefined ? [] : [text]
  })
  return [
    ...missing.map(name => ({ line, text: `${name} is missing` })),
    ...(strangers.length > 0 ? [{ line, text: `${strangers.length} unknown members` }] : []),
    ...wrong.map(text => ({ line, text }))
  ]
}

/** @returns licenses to send, and every fault in the order of lines; where there is one, nothing is to be sent */
export function checkRows({ rows, faults }: Rows): { licenses: readonly CheckedLicense[]; faults: readonly Fault[] } {
  const found = [...faults]
  const firstLines = new Map<string, number>()
  for (const row of rows) {
    found.push(...checkRow(row))
    const { serviceId, key } = row.license
    if (typeof serviceId !== 'string' || typeof key !== 'string') continue
    // No serviceId has a space.
    const id = `${serviceId} ${key}`
    const first = firstLines.get(id)
    if (first === undefined) firstLines.set(id, row.line)
    else found.push({ line: row.line, text: `the same serviceId and key as on line ${first}` })
  }
  if (rows.length > maxImportLicenses) {
    found.push({ line: rows.at(-1)?.line ?? 0, text: `more than ${maxImportLicenses} licenses: split the file` })
  }
  return {
    licenses: rows.map(row => ({ line: row.line, license: normalize(row.license) })),
    faults: found.sort((a, b) => a.line - b.line)
  }
}
