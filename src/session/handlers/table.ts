import type { Upstream } from '../../protocol/messages.js'
import { attributes } from './attributes.js'
import { bye } from './bye.js'
import { call } from './call.js'
import { callResult } from './call-result.js'
import { challengeResponse } from './challenge-response.js'
import type { Answer, Handler, HandlerContext, Reply } from './handler.js'
import { heartbeat } from './heartbeat.js'
import { history } from './history.js'
import { presence } from './presence.js'
import { publish } from './publish.js'
import { sessions } from './sessions.js'
import { subscribe } from './subscribe.js'
import { unsubscribe } from './unsubscribe.js'
import { validate } from './validate.js'

type MessageOf<Type extends Upstream['type']> = Extract<Upstream, { readonly type: Type }>

/** The handler of each message type. A new type needs its schema, its handler and a row here. */
const handlers: { readonly [Type in Upstream['type']]: Handler<MessageOf<Type>> } = {
  validate,
  heartbeat,
  challengeResponse,
  bye,
  subscribe,
  unsubscribe,
  publish,
  call,
  callResult,
  history,
  attributes,
  sessions,
  presence
}

/** Passes a message to the handler of its type. */
export function dispatch<Type extends Upstream['type']>(
  context: HandlerContext,
  message: MessageOf<Type>
): Answer | Promise<Answer> {
  const handler: Handler<MessageOf<Type>> = handlers[message.type as Type]
  return handler(context, message)
}

const storeTypes: ReadonlySet<Upstream['type']> = new Set([
  ...(['validate', 'subscribe', 'publish', 'history', 'presence', 'sessions', 'call', 'callResult'] as const)
])

/** Whether the answer to a message comes from the store. */
export function needsStore({ type }: Upstream): boolean {
  return storeTypes.has(type)
}

/** Answers a message that has no effect, and whose answer depends on the clock alone; undefined for other messages. */
export function answerStateless(context: Pick<HandlerContext, 'dependencies'>, message: Upstream): Reply | undefined {
  return message.type === 'heartbeat' ? heartbeat(context) : undefined
}
