import type { UpstreamMessages } from '../../protocol/messages.js'
import type { Handler } from './handler.js'

/** PROTOCOL §7. The session ends after this answer. */
export const bye: Handler<UpstreamMessages['bye']> = () => ({ type: 'ack' })
