import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger } from 'fastify'
import { type ApiErrorCode, apiErrors } from '../errors.js'
import type { FloodReports } from '../log/flood-reports.js'
import type { RepeatedEvents } from '../log/repeated-events.js'
import type { CountAddress } from './rate-limit.js'
import { hasOpenRequests, isAnswering } from './request-tracker.js'

/** Input on a socket that never becomes a request: it is not HTTP, comes too late, or asks for a tunnel (CONNECT). */

export interface UnparsedRequestOptions {
  /** Counts one with the requests of its address. */
  readonly count: CountAddress
  /** The key that counts for an address; undefined: not counted, as for a trusted proxy. */
  readonly keyOf: (remoteAddress: string) => string | undefined
  /** Called for each answer, with the error code. */
  readonly onRefused: (code: ApiErrorCode) => void
  /** Called for each socket that is cut without an answer. */
  readonly onCut: () => void
  readonly floods: Pick<FloodReports, 'record'>
  readonly refused: RepeatedEvents
  readonly log: Pick<FastifyBaseLogger, 'info' | 'error'> | undefined
}

export interface UnparsedRequests {
  /** An error of Node's parser, or of a TLS handshake. */
  clientError(error: ClientError, socket: Socket): void
  connect(request: IncomingMessage): void
}

type ClientError = Error & { readonly code?: string }

/** Errors of Node that are not plain bad requests. */
const errorCodes: Readonly<Record<string, ApiErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE'
}
/** The peer is gone: nothing to count or to answer. */
const lostConnections: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED'])
/** Characters of a reason in the log. */
const maxReasonChars = 128

function answer(socket: Socket, code: ApiErrorCode, message: string): void {
  const { status } = apiErrors[code]
  const body = JSON.stringify({ code, message })
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\nconnection: close`
  socket.write(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

/**
 * Answers input that never becomes a request, and closes its socket. Sockets of an address above its rate are cut
 * without an answer, so each attempt costs it a new connection.
 */
export function createUnparsedRequests(options: UnparsedRequestOptions): UnparsedRequests {
  const { count, keyOf, onRefused, onCut, floods, refused, log } = options

  /** @param text  the answer; undefined: none, because it would corrupt another response */
  async function refuse(socket: Socket, code: ApiErrorCode, reason: string, text: string | undefined): Promise<void> {
    const { remoteAddress } = socket
    const isCounted = remoteAddress !== undefined && keyOf(remoteAddress) !== undefined
    if (isCounted && (await count(remoteAddress))) {
      floods.record({ remoteAddress })
      onCut()
      return
    }
    refused.record(code, () => log?.info({ remoteAddress, code, reason }, 'request refused'))
    onRefused(code)
    if (socket.writable && text !== undefined) answer(socket, code, text)
  }

  function refuseAndClose(socket: Socket, code: ApiErrorCode, reason: string, text: string | undefined, error?: Error) {
    refuse(socket, code, reason, text)
      .catch((cause: unknown) => {
        refused.record('INTERNAL', () => log?.error({ err: cause }, 'refusing a request failed'))
      })
      .finally(() => socket.destroy(error))
  }

  return {
    clientError(error, socket) {
      if (lostConnections.has(error.code)) {
        socket.destroy(error)
        return
      }
      const code = errorCodes[error.code ?? ''] ?? 'BAD_REQUEST'
      const reason = (error.code ?? error.message).slice(0, maxReasonChars)
      // Within another response this answer would be read as a part of it.
      const text = isAnswering(socket) ? undefined : apiErrors[code].message
      refuseAndClose(socket, code, reason, text, error)
    },
    connect({ socket }) {
      const text = hasOpenRequests(socket) ? undefined : 'CONNECT: this gateway is no proxy; it opens no tunnels'
      refuseAndClose(socket, 'BAD_REQUEST', 'CONNECT', text)
    }
  }
}
