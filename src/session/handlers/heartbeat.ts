import type { UpstreamMessages } from '../../protocol/messages.js'
import type { Handler } from './handler.js'

/** PROTOCOL §6. The session recorded the activity when it verified the frame. */
export const heartbeat: Handler<UpstreamMessages['heartbeat']> = ({ dependencies }) => ({
  type: 'heartbeat',
  serverTime: dependencies.now()
})
