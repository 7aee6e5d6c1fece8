import type { Upstream } from '../../protocol/messages.js'
import { bye } from './bye.js'
import { challengeResponse } from './challenge-response.js'
import type { Answer, HandlerContext } from './handler.js'
import { heartbeat } from './heartbeat.js'
import { publish } from './publish.js'
import { subscribe } from './subscribe.js'
import { unsubscribe } from './unsubscribe.js'
import { validate } from './validate.js'

/** Hands a message to the handler of its type. */
export function dispatch(context: HandlerContext, message: Upstream): Answer | Promise<Answer> {
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
      return subscribe(context, message)
    case 'unsubscribe':
      return unsubscribe(context, message)
    case 'publish':
      return publish(context, message)
    default:
      return message satisfies never
  }
}
