import type { EndingCode } from '../protocol/codes.js'

/** Why a session ended: a code of the protocol, or the client's own `bye`. */
export type BridgeEnding = EndingCode | 'bye'

/** The session has ended, here or on another instance. */
export class SessionEnded extends Error {
  override readonly name = 'SessionEnded'
  /** The stored code; undefined if the store does not know the session. */
  readonly ending: string | undefined

  constructor(ending: string | undefined) {
    super('the session has ended')
    this.ending = ending
  }
}
