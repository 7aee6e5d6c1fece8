import type { AuditHead, DurableStore } from '../store/store.js'
import type { AuditVerification } from './audit.js'
import { type AuditAnchor, anchorId } from './audit-anchor.js'
import { checkEntry } from './audit-chain.js'
import type { Hasher } from './keyring.js'
import { type RecordTable, UnreadableRecord } from './records.js'

/** Entries read per round trip. */
const verifyBatch = 1000

export interface ChainToVerify {
  readonly durable: DurableStore
  readonly anchor: RecordTable<AuditAnchor>
  readonly hash: Hasher
}

const start: AuditHead = { seq: 0, hash: '' }

/** Follows the chain after `last`, to the end or to the first invalid entry. @param known  the head as read before */
async function follow({ durable, hash }: ChainToVerify, last: AuditHead, known: AuditHead) {
  let reached = last
  for (;;) {
    const rows = await durable.auditAfter(reached.seq, verifyBatch)
    for (const { text } of rows) {
      const entry = checkEntry(text, reached, hash)
      if (entry === undefined || (entry.seq === known.seq && entry.hash !== known.hash)) {
        return { reached, isValid: false }
      }
      reached = entry
    }
    if (rows.length < verifyBatch) return { reached, isValid: true }
  }
}

/**
 * Verifies the log while others append to it and cut it.
 * @throws StoreUnavailable
 */
export async function verifyChain(chain: ChainToVerify): Promise<AuditVerification> {
  const { durable, anchor } = chain
  const before = await durable.auditHead()
  let cut: AuditAnchor | undefined
  let last = start
  try {
    cut = await anchor.get(anchorId)
    last = cut ?? start
    for (;;) {
      const { reached, isValid } = await follow(chain, last, before)
      const after = await durable.auditHead()
      const isWhole = reached.seq >= before.seq && after.seq >= reached.seq
      const endsThere = after.seq !== reached.seq || after.hash === reached.hash
      const isIntact = isValid && isWhole && endsThere
      const newest = isIntact ? cut : await anchor.get(anchorId)
      if (isIntact || newest === undefined || newest.seq <= last.seq || newest.seq < reached.seq) {
        return outcome(reached, cut, isIntact)
      }
      // The log was cut during the read: the kept entries follow the new anchor.
      cut = newest
      last = newest
    }
  } catch (error) {
    if (!(error instanceof UnreadableRecord)) throw error
    return outcome(last, cut, false)
  }
}

function outcome({ seq }: AuditHead, cut: AuditAnchor | undefined, isIntact: boolean): AuditVerification {
  const entries = seq - (cut?.seq ?? 0)
  return { entries, ...(isIntact ? {} : { brokenAt: seq + 1 }), ...(cut === undefined ? {} : { cut }) }
}
