import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Concurrent requests of one socket. Browsers and proxies send one at a time, and a bridge client has at most four
 * exchanges in flight.
 */
export const maxRequestsInFlight = 16

/** A resource that a request holds until it has ended. */
export interface Releasable {
  release(): void
}

interface TrackedRequest {
  readonly response: ServerResponse
  /** Monotonic milliseconds. */
  readonly startedAt: number
  held: Releasable | undefined
}

// Members of the request and the socket: entries of a WeakMap cost the garbage collector several times as much.
const trackedRequest = Symbol('trackedRequest')
const requestsInFlight = Symbol('requestsInFlight')
const isRefused = Symbol('isRefused')

declare module 'node:http' {
  interface IncomingMessage {
    [trackedRequest]?: TrackedRequest
  }
}

declare module 'node:net' {
  interface Socket {
    [requestsInFlight]?: TrackedRequest[]
    /** Its last request was refused. */
    [isRefused]?: true
  }
}

/** All unanswered requests, oldest first. */
const openRequests = new Set<TrackedRequest>()

/** Waiting time of the oldest unanswered request of this process, in milliseconds; held polls count. */
export function oldestRequestMs(): number {
  for (const { startedAt } of openRequests) return performance.now() - startedAt
  return 0
}

function requestsOf(socket: Socket): TrackedRequest[] {
  const known = socket[requestsInFlight]
  if (known !== undefined) return known
  const requests: TrackedRequest[] = []
  socket[requestsInFlight] = requests
  // Responses that wait behind another one are never closed when the socket is.
  socket.once('close', () => {
    for (const request of requests) {
      openRequests.delete(request)
      request.held?.release()
    }
    requests.length = 0
  })
  return requests
}

function end(this: ServerResponse): void {
  const request = this.req[trackedRequest]
  const requests = this.req.socket[requestsInFlight]
  if (request === undefined || requests === undefined) return
  const at = requests.indexOf(request)
  if (at < 0) return
  requests.splice(at, 1)
  openRequests.delete(request)
  request.held?.release()
}

const exceededBody = JSON.stringify({
  code: 'RATE_LIMITED',
  message:
    `more than ${maxRequestsInFlight} requests of one socket are in flight: the limit is ${maxRequestsInFlight}; ` +
    'wait for answers before sending more'
})

/** Answers the first request above the bound. Node sends it after the answers to those ahead, and closes the socket. */
function refuseLast(response: ServerResponse): void {
  response.writeHead(429, { 'content-type': 'application/json', connection: 'close' }).end(exceededBody)
}

/**
 * Bounds the requests of a socket in flight. The first one above the bound is the socket's last: it gets 429 after
 * those ahead of it are answered. Nothing more is read meanwhile, and data that was read already is ignored.
 * @param onExceeded  called once for each such socket
 */
export function trackRequests(handler: RequestListener, onExceeded: () => void): RequestListener {
  return (request, response) => {
    const { socket } = request
    // The rest of a chunk that was read before the socket was refused.
    if (socket.destroyed || socket[isRefused] === true) return
    const requests = requestsOf(socket)
    if (requests.length >= maxRequestsInFlight) {
      onExceeded()
      socket[isRefused] = true
      socket.pause()
      refuseLast(response)
      return
    }
    const entry: TrackedRequest = { response, startedAt: performance.now(), held: undefined }
    requests.push(entry)
    openRequests.add(entry)
    request[trackedRequest] = entry
    response.on('close', end)
    handler(request, response)
  }
}

/** Whether a request of this socket is unanswered. */
export function hasOpenRequests(socket: Socket): boolean {
  return (socket[requestsInFlight]?.length ?? 0) > 0
}

/** Whether a response on this socket was sent in part. */
export function isAnswering(socket: Socket): boolean {
  for (const { response } of socket[requestsInFlight] ?? []) if (response.headersSent) return true
  return false
}

/**
 * Holds a resource until the request's response was sent or its socket is closed, whichever comes first.
 * @returns false if the request did not come from a socket: nothing is held then
 */
export function holdUntilAnswered(request: IncomingMessage, held: Releasable): boolean {
  const entry = request[trackedRequest]
  if (entry === undefined) return false
  entry.held = held
  return true
}
