import { type FastifyReply, type FastifyRequest, LogController } from 'fastify'

const pollEnd = '/exchange'

/**
 * The lines of a request in the log: one when it comes, one when it is answered. A poll of the bridge is no event, and a
 * client makes thousands of them: theirs are at `debug`. What goes wrong with one is logged like everything else.
 */
export class RequestLog extends LogController {
  override incomingRequest(request: FastifyRequest, reply: FastifyReply): void {
    if (isPoll(request)) request.log.debug({ req: request }, 'incoming request')
    else super.incomingRequest(request, reply)
  }

  override requestCompleted(error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    if (isPoll(request) && error == null) request.log.debug({ res: reply }, 'request completed')
    else super.requestCompleted(error, request, reply)
  }
}

function isPoll({ raw }: FastifyRequest): boolean {
  return raw.url?.endsWith(pollEnd) === true
}
