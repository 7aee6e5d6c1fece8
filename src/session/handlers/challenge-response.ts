import { ProtocolFault } from '../../protocol/fault.js'
import type { UpstreamMessages } from '../../protocol/messages.js'
import type { Handler } from './handler.js'

/** PROTOCOL §6: the client proves anew that it holds the secret of the session's own key. */
export const challengeResponse: Handler<UpstreamMessages['challengeResponse']> = ({ freshChallenge }, message) => {
  if (!freshChallenge.settle(message.challengeToken, message.challengeSignature)) {
    throw new ProtocolFault('CHALLENGE_FAILED')
  }
  return { type: 'ack' }
}
