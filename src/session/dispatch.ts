import { ProtocolFault } from '../protocol/fault.js'
import type { Upstream } from '../protocol/messages.js'
import { bye } from './handlers/bye.js'
import { challengeResponse } from './handlers/challenge-response.js'
import type { HandlerContext, Reply } from './handlers/handler.js'
import { heartbeat } from './handlers/heartbeat.js'
import { validate } from './handlers/validate.js'

/** Hands a message to the handler of its type. */
export function dispatch(context: HandlerContext, message: Upstream): Reply | Promise<Reply> {
  switch (message.type) {
    case 'validate':
      return validate(context, message)
    case 'heartbeat':
      return heartbeat(context, message)
    case 'challengeResponse':
      return challengeResponse(context, message)
    case 'bye':
      return bye(context, message)
    case 'subscribe':
    case 'unsubscribe':
    case 'publish':
      // Channels (PROTOCOL §10) are the law of a later release; this one says so as PROTOCOL's "Status" tells.
      throw new ProtocolFault('UNKNOWN_TYPE', 'this gateway does not serve channels yet')
    default:
      return message satisfies never
  }
}
