import { type CodeName, codes } from '../protocol/codes.js'
import type { CallOutcome, CallResult } from './outcome.js'

/** Most sessions that one call to all sessions of a client reaches. */
export const maxCalledSessions = 1000

/** Codes of calls that did not reach their session, although it is live. */
const refusals: ReadonlySet<CodeName> = new Set(['RATE_LIMITED', 'INVALID_MESSAGE'])

/** The answer of one session, or the number of sessions that answered. */
export type CallAllLine =
  | ({ readonly sessionId: string } & CallResult)
  | { readonly done: true; readonly answered: number; readonly missing: number; readonly truncated?: number }

/**
 * Yields the answers of sessions that were called together, in order of arrival, then a summary. A session that does
 * not answer has no line. A session whose call was refused has one, but does not count as answered.
 * @param outcomes   one for each session; none rejects
 * @param truncated  sessions that were not called, because there are too many
 */
export async function* answersOf(
  outcomes: readonly { readonly sessionId: string; readonly outcome: Promise<CallOutcome> }[],
  truncated: number
): AsyncGenerator<CallAllLine> {
  const lines: CallAllLine[] = []
  let answered = 0
  let left = outcomes.length
  let notify = () => {}
  for (const { sessionId, outcome } of outcomes) {
    outcome
      .then(each => {
        if (each.kind === 'answered') {
          answered++
          lines.push({ sessionId, ...each.result })
        } else if (refusals.has(each.code)) {
          const { code, message = codes[code].message } = each
          lines.push({ sessionId, error: { code, message } })
        }
      })
      .finally(() => {
        left--
        notify()
      })
  }
  for (;;) {
    yield* lines.splice(0)
    if (left === 0 && lines.length === 0) break
    await new Promise<void>(resolve => {
      notify = resolve
      if (lines.length > 0 || left === 0) resolve()
    })
  }
  const missing = outcomes.length - answered
  yield { done: true, answered, missing, ...(truncated === 0 ? {} : { truncated }) }
}
