import { type FastifyReply, type FastifyRequest, LogController } from 'fastify'

/**
 * Logs each request twice: when it arrives and when the response is sent. Bridge clients poll thousands of times, so their
 * polls are logged at `debug` unless they fail.
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
  return raw.url?.endsWith('/exchange') === true
}
