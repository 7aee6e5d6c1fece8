import { type CodeName, codes } from '../protocol/codes.js'
import type { CallOutcome, CallResult } from './outcome.js'

/** Sessions that one call to all sessions of a client reaches. */
export const maxCalledSessions = 1000

/** Codes of calls that did not reach their session, although it is live. */
const refusals: ReadonlySet<CodeName> = new Set(['RATE_LIMITED', 'INVALID_MESSAGE'])

/** What one session answered, or how many did. */
export type CallAllLine =
  | ({ readonly sessionId: string } & CallResult)
  | { readonly done: true; readonly answered: number; readonly missing: number; readonly truncated?: number }

/**
 * The answers of sessions that were called together, as they come, and a summary. A session that does not answer has no
 * line; one that the call did not reach, because it was refused, has one, and has not answered.
 * @param outcomes   one for each session
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
      // An outcome never rejects with anything that its session could know of.
      .catch(() => {})
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
