import type { ChangeEvent } from '../store/change-event.js'
import type { AuditHead, Change, DurableStore } from '../store/store.js'
import { CannotUnseal, openText, sealText } from './aead.js'
import { createHasher, derivedFrom, type Hasher } from './keyring.js'
import type { Pepper } from './pepper.js'
import type { UnreadableReports } from './unreadable.js'

/**
 * One entry of the audit log. An entry contains the hash of the previous entry and a keyed hash of its own text, so
 * nobody without the master key can change, drop or add an entry undetected. In the store, members of `detail` that
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
  /**
   * The members of `detail` that are not readable in the store, as the store has them: the entry is stored, and hashed,
   * with this instead of them.
   */
  readonly sealed?: string
  /** Hash of the previous entry, '' for the first one. */
  readonly previous: string
  readonly hash: string
}

/** Outcome of {@link AuditLog.verify}. */
export interface AuditVerification {
  /** Number of valid entries, counted from the first one. */
  readonly entries: number
  /** Number of the first invalid entry. Absent when the whole log is valid. */
  readonly brokenAt?: number
}

export interface AuditLog {
  /**
   * Makes the `audit` part of a {@link Change}.
   * @param detail  must not contain a secret; `hwid` and `attributes` are sealed
   */
  entry(actor: string, action: string, target: string, detail?: Readonly<Record<string, unknown>>): Change['audit']
  /** Entries after number `after`, oldest first, at most `limit`. What is no entry is left out and reported. */
  list(after: number, limit: number): Promise<readonly AuditEntry[]>
  /**
   * What the newest change with this event did, e.g. `client.delete`.
   * @returns undefined if the log does not show it: there is no such change among the newest, or its entry was changed
   */
  lastAction(event: ChangeEvent): Promise<string | undefined>
  /** Reads the whole log and checks every hash. */
  verify(): Promise<AuditVerification>
}

/** Entries read per round trip while verifying. */
const verifyBatch = 1000

/** Members of `detail` that are not readable in the store: hwids, and what operators keep about their customers. */
const privateMembers: readonly string[] = ['hwid', 'attributes']

type Detail = AuditEntry['detail']

/**
 * Seals private members under a key that follows from the pepper: a new master key leaves the log as it is. Each entry
 * with such members is one text under that key (see `aead.ts` for their safe number).
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

  /** Entries of earlier versions have no sealed members; those of an entry that was changed in the store stay sealed. */
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

function seal(body: Omit<AuditEntry, 'hash'>, hash: Hasher): { hash: string; text: string } {
  const text = JSON.stringify(body)
  const own = hash(text)
  return { hash: own, text: `${text.slice(0, -1)},"hash":"${own}"}` }
}

/** The entry if its own hash is valid. */
function open(text: string, hash: Hasher): AuditEntry | undefined {
  const tail = /,"hash":"([0-9a-f]{64})"\}$/.exec(text)
  if (tail === null || hash(`${text.slice(0, tail.index)}}`) !== tail[1]) return undefined
  return JSON.parse(text) as AuditEntry
}

/** The entry if its hash and its link to `previous` are valid. */
function check(text: string, previous: AuditHead, hash: Hasher): AuditEntry | undefined {
  const entry = open(text, hash)
  return entry?.seq === previous.seq + 1 && entry.previous === previous.hash ? entry : undefined
}

async function verify(durable: DurableStore, hash: Hasher): Promise<AuditVerification> {
  let last: AuditHead = { seq: 0, hash: '' }
  for (;;) {
    const rows = await durable.auditAfter(last.seq, verifyBatch)
    for (const { text } of rows) {
      const entry = check(text, last, hash)
      if (entry === undefined) return { entries: last.seq, brokenAt: last.seq + 1 }
      last = entry
    }
    if (rows.length < verifyBatch) break
  }
  const head = await durable.auditHead()
  const complete = head.seq === last.seq && head.hash === last.hash
  return complete ? { entries: last.seq } : { entries: last.seq, brokenAt: last.seq + 1 }
}

/** @returns undefined for what is no entry: somebody changed it in the store */
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

/** Makes entries of a log, also of one that is not in the store yet: see {@link AuditLog.entry}. */
export function createEntryMaker(pepper: Pepper, now: () => number): AuditLog['entry'] {
  const hash = createHasher(pepper, 'audit')
  const details = new DetailSealer(pepper)
  return (actor, action, target, detail = {}) => {
    const at = new Date(now()).toISOString()
    const sealed = details.seal(detail, contextOf({ action, target }))
    return head => seal({ seq: head.seq + 1, at, actor, action, target, ...sealed, previous: head.hash }, hash)
  }
}

/** @param reports  gets each entry that is none */
export function createAuditLog(
  durable: DurableStore,
  pepper: Pepper,
  now: () => number,
  reports: Pick<UnreadableReports, 'report'> = { report() {} }
): AuditLog {
  const hash = createHasher(pepper, 'audit')
  const details = new DetailSealer(pepper)
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
      const entry = row === undefined ? undefined : open(row.text, hash)
      return entry?.seq === seq ? entry.action : undefined
    },
    verify: () => verify(durable, hash)
  }
}
