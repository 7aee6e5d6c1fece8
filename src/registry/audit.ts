import type { AuditHead, Change, DurableStore } from '../store/store.js'
import type { Hasher } from './keyring.js'

/**
 * The audit log: who did what when. Each entry names the hash of the one before it and carries a keyed hash of its own
 * text, so that nobody without the master key can change, drop or add one unseen.
 */
export interface AuditEntry {
  readonly seq: number
  /** ISO 8601. */
  readonly at: string
  /** `admin`, `token:<tokenId>`, `client:<clientId>` or `system`. */
  readonly actor: string
  /** e.g. `client.create`, `license.bind`. */
  readonly action: string
  /** What it was done to, e.g. `license:lic_…`. */
  readonly target: string
  readonly detail: Readonly<Record<string, unknown>>
  /** Hash of the entry before, '' for the first. */
  readonly previous: string
  readonly hash: string
}

export interface Audit {
  /** The `audit` part of a {@link Change}. `detail` never holds a secret. */
  entry(actor: string, action: string, target: string, detail?: Readonly<Record<string, unknown>>): Change['audit']
  /** Entries after number `after`, oldest first. */
  list(after: number, limit: number): Promise<readonly AuditEntry[]>
  /**
   * Reads the whole log.
   * @returns how many entries hold, and the number of the first that does not
   */
  verify(): Promise<{ readonly entries: number; readonly brokenAt?: number }>
}

const verifyBatch = 1000

export function createAudit(records: DurableStore, hash: Hasher, now: () => number): Audit {
  function withHash(body: Omit<AuditEntry, 'hash'>): { hash: string; text: string } {
    const text = JSON.stringify(body)
    const own = hash(text)
    return { hash: own, text: `${text.slice(0, -1)},"hash":"${own}"}` }
  }

  function holds(text: string, before: AuditHead): AuditEntry | undefined {
    const tail = /,"hash":"([0-9a-f]{64})"\}$/.exec(text)
    const body = tail === null ? undefined : `${text.slice(0, tail.index)}}`
    if (body === undefined || hash(body) !== tail?.[1]) return undefined
    const entry = JSON.parse(text) as AuditEntry
    return entry.seq === before.seq + 1 && entry.previous === before.hash ? entry : undefined
  }

  return {
    entry: (actor, action, target, detail = {}) => {
      const at = new Date(now()).toISOString()
      return head => withHash({ seq: head.seq + 1, at, actor, action, target, detail, previous: head.hash })
    },
    async list(after, limit) {
      const rows = await records.auditAfter(after, limit)
      return rows.map(({ text }) => JSON.parse(text) as AuditEntry)
    },
    async verify() {
      let last: AuditHead = { seq: 0, hash: '' }
      for (;;) {
        const rows = await records.auditAfter(last.seq, verifyBatch)
        for (const { text } of rows) {
          const entry = holds(text, last)
          if (entry === undefined) return { entries: last.seq, brokenAt: last.seq + 1 }
          last = entry
        }
        if (rows.length < verifyBatch) break
      }
      const head = await records.auditHead()
      return head.seq === last.seq && head.hash === last.hash
        ? { entries: last.seq }
        : { entries: last.seq, brokenAt: last.seq + 1 }
    }
  }
}
