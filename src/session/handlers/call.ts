import { recordIdOf } from '../../calls/call-id.js'
import type { CallTarget } from '../../calls/directory.js'
import { createCallRequest, mayCall } from '../../calls/request.js'
import { callTimeoutMs } from '../../protocol/limits.js'
import type { UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { ownersOfSession } from '../../store/owners.js'
import { dataTextOf } from './data-text.js'
import type { Handler, HandlerContext } from './handler.js'

/** @throws ProtocolError INVALID_MESSAGE */
function targetOf({ to }: UpstreamMessages['call']): CallTarget {
  const { sessionId, clientId } = to
  if (sessionId !== undefined) return { sessionId }
  if (clientId !== undefined) return { clientId }
  throw new ProtocolError('INVALID_MESSAGE', 'to: expected { sessionId } or { clientId }')
}

/** A key from the client covers all its sessions. Without one, a message that is handled twice is one call. */
function recordOf({ peer }: HandlerContext, { seq, idempotencyKey }: UpstreamMessages['call']): string {
  if (idempotencyKey !== undefined) return recordIdOf(`c:${peer.clientId}`, idempotencyKey)
  return recordIdOf(`s:${peer.sessionId}`, `${seq}`)
}

/** PROTOCOL §16: a request to another session. The answer is a separate message. */
export const call: Handler<UpstreamMessages['call']> = (context, message) => {
  const { dependencies, peer, calls } = context
  const { seq, method, timeoutMs = callTimeoutMs.default } = message
  const { clientId, capabilities } = peer
  const to = targetOf(message)
  const caller = {
    ...{ clientId, patterns: capabilities.call },
    owners: ownersOfSession(clientId, peer.ticketOwner)
  }
  if (capabilities.call.length === 0 || ('clientId' in to && !mayCall(caller, to.clientId, method))) {
    throw new ProtocolError('PERMISSION_DENIED', `call: no permission for method ${method}`)
  }
  const { limits } = dependencies.settings
  const request = createCallRequest({
    ...{ caller, to, method },
    ...(message.data === undefined ? {} : { data: dataTextOf(message.data, limits) }),
    expiresAt: dependencies.steadyNow() + timeoutMs,
    recordId: recordOf(context, message),
    isKeyed: message.idempotencyKey !== undefined
  })
  calls.make(seq, request)
  return 'later'
}
