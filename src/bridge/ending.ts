import type { EndingCode } from '../protocol/codes.js'

/** A session's last word: a code, or its own `bye`. */
export type BridgeEnding = EndingCode | 'bye'

/** The session is over, or is found to be. */
export class SessionEnded extends Error {
  override readonly name = 'SessionOver'
  /** Nothing: the store has no such session. */
  readonly ending: string | undefined

  constructor(ending: string | undefined) {
    super('the session is over')
    this.ending = ending
  }
}
