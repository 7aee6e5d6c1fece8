import type { UpstreamMessages } from '../../protocol/messages.js'
import { ProtocolError } from '../../protocol/protocol-error.js'
import type { Handler } from './handler.js'

/** PROTOCOL §6: the client proves again that it holds the secret of the session's own key. */
export const challengeResponse: Handler<UpstreamMessages['challengeResponse']> = (
  context,
  { challengeToken, challengeSignature }
) => {
  if (!context.answerChallenge(challengeToken, challengeSignature)) throw new ProtocolError('CHALLENGE_FAILED')
  return { type: 'ack' }
}
