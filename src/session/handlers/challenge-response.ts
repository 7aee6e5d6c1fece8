import type { UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import type { Handler } from './handler.js'

/** PROTOCOL §6: the client proves anew that it holds the secret of the session's own key. */
export const challengeResponse: Handler<UpstreamMessages['challengeResponse']> = ({ freshChallenge }, message) => {
  if (!freshChallenge.settle(message.challengeToken, message.challengeSignature)) {
    throw new ProtocolError('CHALLENGE_FAILED')
  }
  return { type: 'ack' }
}
