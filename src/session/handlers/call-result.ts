import type { UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import { dataTextOf } from './data-text.js'
import type { Handler, Reply } from './handler.js'

/** PROTOCOL §16: the answer to a call that this session received. */
export const callResult: Handler<UpstreamMessages['callResult']> = async (
  { dependencies, calls },
  { callId, data, error }
): Promise<Reply> => {
  if (data !== undefined && error !== undefined) {
    throw new ProtocolError('INVALID_MESSAGE', 'data and error: a call has one of them, or none')
  }
  const isExpired = await calls.answer(callId, {
    ...(data === undefined ? {} : { data: dataTextOf(data, dependencies.settings.limits) }),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } })
  })
  return { type: 'ack', ...(isExpired ? { expired: true } : {}) }
}
