import type { AuditHead } from '../store/store.js'
import type { Hasher } from './keyring.js'

/** The hash chain of the audit log. */

/**
 * One entry of the audit log. An entry contains the hash of the previous entry and a keyed hash of its own text, so
 * changing, dropping or adding an entry without the master key is detected. In the store, members of `detail` that
 * describe a person or a machine are sealed.
 */
export interface AuditEntry {
  readonly seq: number
  /** ISO 8601. */
  readonly at: string
  /** `admin`, `token:<tokenId>`, `client:<clientId>` or `system`. */
  readonly actor: string
  /** E.g. `client.create`, `license.bind`. */
  readonly action: string
  /** The object of the action, e.g. `license:lic_…`. */
  readonly target: string
  readonly detail: Readonly<Record<string, unknown>>
  /** The sealed members of `detail`, as stored: the entry is stored, and hashed, with this text in their place. */
  readonly sealed?: string
  /** Hash of the previous entry, '' for the first one. */
  readonly previous: string
  readonly hash: string
}

/** @returns the entry's text with its hash, and the hash */
export function sealEntry(body: Omit<AuditEntry, 'hash'>, hash: Hasher): { hash: string; text: string } {
  const text = JSON.stringify(body)
  const own = hash(text)
  return { hash: own, text: `${text.slice(0, -1)},"hash":"${own}"}` }
}

/** The entry, if its own hash is valid. */
export function openEntry(text: string, hash: Hasher): AuditEntry | undefined {
  const tail = /,"hash":"([0-9a-f]{64})"\}$/.exec(text)
  if (tail === null || hash(`${text.slice(0, tail.index)}}`) !== tail[1]) return undefined
  return JSON.parse(text) as AuditEntry
}

/** The entry, if its hash and its link to `previous` are valid. */
export function checkEntry(text: string, previous: AuditHead, hash: Hasher): AuditEntry | undefined {
  const entry = openEntry(text, hash)
  return entry?.seq === previous.seq + 1 && entry.previous === previous.hash ? entry : undefined
}
