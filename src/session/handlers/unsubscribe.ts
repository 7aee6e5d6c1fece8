import type { UpstreamMessages } from '../../protocol/messages.js'
import type { Handler } from './handler.js'

/** PROTOCOL §10: leaves a channel. Leaving a channel that was not joined is acknowledged too. */
export const unsubscribe: Handler<UpstreamMessages['unsubscribe']> = ({ subscriptions }, { channel }) => {
  subscriptions.leave(channel)
  return { type: 'ack' }
}
