import type { CallResult } from '../calls/outcome.js'
import type { CallRequest } from '../calls/request.js'

/** The calls of one session, made and received, on any transport (PROTOCOL §16). */
export interface SessionCalls {
  /**
   * Makes a call. Its outcome comes as a message of its own.
   * @param seq  of the call
   * @throws RateLimited when too many calls of the session are open
   */
  make(seq: number, request: CallRequest): void
  /**
   * Answers a call to this session.
   * @returns whether the call had expired
   * @throws ProtocolError INVALID_MESSAGE for a call that this session did not get
   * @throws StoreUnavailable
   */
  answer(callId: string, result: CallResult): Promise<boolean>
}
