import type { HandlerContext, Reply } from './handler.js'

/** PROTOCOL §6. The session recorded the activity when it verified the frame. */
export const heartbeat = ({ dependencies }: Pick<HandlerContext, 'dependencies'>): Reply => ({
  type: 'heartbeat',
  serverTime: dependencies.now()
})
