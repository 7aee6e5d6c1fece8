import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Requests of one socket that may be unanswered at once. Browsers and proxies send one at a time, and a bridge client
 * has at most four exchanges in flight.
 */
export const maxRequestsInFlight = 16

/** Something that a request holds until it has ended. */
export interface Releasable {
  release(): void
}

interface TrackedRequest {
  readonly response: ServerResponse
  held: Releasable | undefined
}

const requestsBySocket = new WeakMap<Socket, Set<TrackedRequest>>()
const tracked = new WeakMap<IncomingMessage, TrackedRequest>()

function requestsOf(socket: Socket): Set<TrackedRequest> {
  const known = requestsBySocket.get(socket)
  if (known !== undefined) return known
  const requests = new Set<TrackedRequest>()
  requestsBySocket.set(socket, requests)
  // Responses that wait behind another one are never closed when the socket is.
  socket.once('close', () => {
    for (const { held } of requests) held?.release()
    requests.clear()
  })
  return requests
}

function end(this: ServerResponse): void {
  const request = tracked.get(this.req)
  if (request === undefined || requestsBySocket.get(this.req.socket)?.delete(request) !== true) return
  request.held?.release()
}

/**
 * Bounds the requests of a socket that are in flight. Above the bound the socket is destroyed: HTTP/1.1 has no way to
 * refuse a pipelined request before those ahead of it are answered.
 * @param onExceeded  called once for each socket that is destroyed
 */
export function trackRequests(handler: RequestListener, onExceeded: () => void): RequestListener {
  return (request, response) => {
    const { socket } = request
    // The rest of a chunk that was read before the socket was destroyed.
    if (socket.destroyed) return
    const requests = requestsOf(socket)
    if (requests.size >= maxRequestsInFlight) {
      onExceeded()
      socket.destroy()
      return
    }
    const entry: TrackedRequest = { response, held: undefined }
    requests.add(entry)
    tracked.set(request, entry)
    response.once('close', end)
    handler(request, response)
  }
}

/** Whether a part of a response has left on this socket and the rest has not. */
export function isAnswering(socket: Socket): boolean {
  for (const { response } of requestsBySocket.get(socket) ?? []) if (response.headersSent) return true
  return false
}

/**
 * Keeps something until the request's response has left or its socket is closed, whichever comes first.
 * @returns false if the request did not come from a socket: then nothing is kept
 */
export function holdUntilAnswered(request: IncomingMessage, held: Releasable): boolean {
  const entry = tracked.get(request)
  if (entry === undefined) return false
  entry.held = held
  return true
}
