import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ApiError } from '../errors.js'
import type { BoundedLog } from '../log/bounded-log.js'
import type { HttpEdge } from './edge.js'
import { monitoringPaths } from './request-log.js'

const refusal = new ApiError(
  'UNAVAILABLE',
  'this process has no file descriptors left for another connection: raise its limit of open files (ulimit -n)',
  { outcome: 'unsent' }
)

/**
 * Refuses requests on connections of the reserve, except for health and metrics. Such a connection carries one request.
 * Warns when the limit is below the need of the sessions.
 */
export async function registerDescriptorGate(
  server: FastifyInstance,
  edge: HttpEdge,
  maxSessions: number,
  boundedLog: Pick<BoundedLog, 'warn' | 'descriptorsUsedUp'>
): Promise<void> {
  await edge.descriptors.sample()
  const { limit, maxSockets } = edge.descriptors
  if (maxSockets < maxSessions) {
    boundedLog.warn(
      { limit, maxSockets, maxSessions },
      `the limit of open files is ${limit}: enough for ${maxSockets} connections, and COUNTERSIGN_MAX_SESSIONS is ${maxSessions}: raise it (ulimit -n)`
    )
  }
  server.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done) => {
    if (!edge.descriptors.isReserved(request.raw.socket)) return done()
    reply.header('connection', 'close')
    if (monitoringPaths.has(request.routeOptions.url)) return done()
    edge.onDescriptors()
    boundedLog.descriptorsUsedUp()
    return done(refusal)
  })
}
