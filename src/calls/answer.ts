import { ProtocolError } from '../protocol/protocol-error.js'
import { readCallId } from './call-id.js'
import type { CallResult } from './outcome.js'
import type { CallRouter } from './router.js'

/** Time for which an expired call's id stays known, in milliseconds (PROTOCOL §16). */
const rememberedMs = 5 * 60 * 1000

/**
 * Handles a receiver's answer to a call.
 * @returns whether the call had expired
 * @throws ProtocolError INVALID_MESSAGE for a call that this session never got, or that ended long ago
 * @throws StoreUnavailable
 */
export async function answerCall(
  router: CallRouter,
  sessionId: string,
  callId: string,
  result: CallResult
): Promise<boolean> {
  const call = readCallId(router.mac, callId, sessionId)
  const now = router.now()
  if (call === undefined || now > call.expiresAt + rememberedMs) {
    throw new ProtocolError('INVALID_MESSAGE', 'callId: no call to this session, or it ended long ago')
  }
  await router.settle(callId, { kind: 'answered', sessionId, result })
  return now > call.expiresAt
}
