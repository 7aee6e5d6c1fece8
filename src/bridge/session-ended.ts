import type { EndingCode } from '../protocol/codes.js'

/** Why a session ended: a code of the protocol, the client's own `bye`, or a rewind of the store (PROTOCOL §10.5). */
export type BridgeEnding = EndingCode | 'bye' | 'SESSION_NOT_FOUND'

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
