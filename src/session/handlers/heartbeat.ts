import type { UpstreamMessages } from '../../protocol/messages.js'
import type { Handler } from './handler.js'

/** PROTOCOL §6. The sign of life itself was noted when the frame verified. */
export const heartbeat: Handler<UpstreamMessages['heartbeat']> = ({ dependencies }) => ({
  type: 'heartbeat',
  serverTime: dependencies.now()
})
