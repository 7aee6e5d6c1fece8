import type { ChangeEvent } from '../store/change-event.js'
import type { Change } from '../store/store.js'
import { CannotUnseal, openText, sealText } from './aead.js'
import { type AuditAnchor, anchorTable } from './audit-anchor.js'
import { type AuditEntry, openEntry, sealEntry } from './audit-chain.js'
import { verifyChain } from './audit-verify.js'
import { createHasher, derivedFrom, type Hasher } from './keyring.js'
import type { Pepper } from './pepper.js'
import type { RecordAccess } from './records.js'
import type { UnreadableReports } from './unreadable.js'

/** Outcome of {@link AuditLog.verify}. */
export interface AuditVerification {
  /** Number of valid entries, counted from the first kept one. */
  readonly entries: number
  /** Number of the first invalid entry. Absent when the whole log is valid. */
  readonly brokenAt?: number
  /** Where the log was cut. Absent: it was never cut. */
  readonly cut?: AuditAnchor
}

export interface AuditLog {
  /**
   * Makes the `audit` part of a {@link Change}.
   * @param detail  must not contain a secret; `hwid` and `attributes` are sealed
   */
  entry(actor: string, action: string, target: string, detail?: Readonly<Record<string, unknown>>): Change['audit']
  /** Entries after number `after`, oldest first, at most `limit`. Invalid entries are left out and reported. */
  list(after: number, limit: number): Promise<readonly AuditEntry[]>
  /**
   * The newest change with this event, e.g. `client.delete`.
   * @returns undefined if the log does not show it: there is no such change among the newest, or its entry was changed
   */
  lastAction(event: ChangeEvent): Promise<string | undefined>
  /** Reads the kept log, from the anchor of its cut on, and checks every hash. */
  verify(): Promise<AuditVerification>
}

/** Sealed members of `detail`: hwids, and operators' data about their customers. */
const privateMembers: readonly string[] = ['hwid', 'attributes']

type Detail = AuditEntry['detail']

/**
 * Seals private members under a key that follows from the pepper: a new master key leaves the log as it is. Each entry
 * with such members uses that key once (see `aead.ts` for the safe number of texts).
 */
class DetailSealer {
  readonly #key: () => Uint8Array

  constructor(pepper: Pepper) {
    this.#key = derivedFrom(pepper, 'audit detail')
  }

  seal(detail: Detail, context: string): Pick<AuditEntry, 'detail' | 'sealed'> {
    const members = Object.entries(detail)
    const hidden = members.filter(([name]) => privateMembers.includes(name))
    if (hidden.length === 0) return { detail }
    const open = members.filter(([name]) => !privateMembers.includes(name))
    const sealed = sealText(this.#key(), JSON.stringify(Object.fromEntries(hidden)), context)
    return { detail: Object.fromEntries(open), sealed }
  }

  /**
   * Entries of earlier versions have no sealed members. The sealed members of an entry that was changed in the store
   * stay sealed.
   */
  open({ detail, sealed }: AuditEntry, context: string): Detail {
    if (sealed === undefined) return detail
    try {
      return { ...detail, ...(JSON.parse(openText(this.#key(), sealed, context)) as Detail) }
    } catch (error) {
      if (!(error instanceof CannotUnseal)) throw error
      return detail
    }
  }
}

function contextOf({ action, target }: Pick<AuditEntry, 'action' | 'target'>): string {
  return `${action} ${target}`
}

/** @returns undefined for a text that is not an entry: it was changed in the store */
function parseEntry(text: string, seq: number): AuditEntry | undefined {
  try {
    const entry: Partial<AuditEntry> | null = JSON.parse(text)
    const texts = [entry?.at, entry?.actor, entry?.action, entry?.target, entry?.previous, entry?.hash]
    if (texts.some(each => typeof each !== 'string') || entry?.seq !== seq) return undefined
    return typeof entry.detail === 'object' && entry.detail !== null ? (entry as AuditEntry) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** The keyed hash of entries. */
export function createAuditHasher(pepper: Pepper): Hasher {
  return createHasher(pepper, 'audit')
}

/** Makes entries of a log, even of one that is not in the store yet: see {@link AuditLog.entry}. */
export function createEntryMaker(pepper: Pepper, now: () => number): AuditLog['entry'] {
  const hash = createAuditHasher(pepper)
  const details = new DetailSealer(pepper)
  return (actor, action, target, detail = {}) => {
    const at = new Date(now()).toISOString()
    const sealed = details.seal(detail, contextOf({ action, target }))
    return head => sealEntry({ seq: head.seq + 1, at, actor, action, target, ...sealed, previous: head.hash }, hash)
  }
}

/** @param reports  receives each invalid entry */
export function createAuditLog(
  records: RecordAccess,
  pepper: Pepper,
  now: () => number,
  reports: Pick<UnreadableReports, 'report'> = { report() {} }
): AuditLog {
  const { durable } = records
  const hash = createAuditHasher(pepper)
  const details = new DetailSealer(pepper)
  const anchor = anchorTable(records)
  return {
    entry: createEntryMaker(pepper, now),
    async list(after, limit) {
      const found: AuditEntry[] = []
      for (let last = after; ; ) {
        const wanted = limit - found.length
        const rows = await durable.auditAfter(last, wanted)
        for (const { seq, text } of rows) {
          last = seq
          const entry = parseEntry(text, seq)
          if (entry === undefined) reports.report({ auditEntry: String(seq) })
          else found.push({ ...entry, detail: details.open(entry, contextOf(entry)) })
        }
        if (rows.length < wanted || found.length === limit) return found
      }
    },
    async lastAction(event) {
      const seq = await durable.lastChange(event)
      if (seq === undefined) return undefined
      const [row] = await durable.auditAfter(seq - 1, 1)
      const entry = row === undefined ? undefined : openEntry(row.text, hash)
      return entry?.seq === seq ? entry.action : undefined
    },
    verify: () => verifyChain({ durable, anchor, hash })
  }
}
