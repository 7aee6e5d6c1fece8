import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { limiterKeyOf } from '../auth/address.js'
import { ApiError } from '../errors.js'
import type { BodyBudget, BodyOwner } from './body-budget.js'
import { holdUntilAnswered } from './request-tracker.js'

/** Reads request bodies within a budget. */

/** Chunks in which one body may arrive: each costs time, and an honest sender's are far larger than 32 bytes. */
export const maxBodyPieces = 8192
/** First reservation for a body of unknown length, in bytes. It doubles as more arrives. */
const firstBytes = 4096

declare module 'fastify' {
  interface FastifyRequest {
    /** The client or token that the request's body counts for; undefined: the address. */
    bodyOwner: string | undefined
  }
}

/**
 * Reads the body of a request into one buffer.
 * @param done  receives an ApiError PAYLOAD_TOO_LARGE, BAD_REQUEST or UNAVAILABLE
 */
export type ReadBody = (
  request: FastifyRequest,
  payload: IncomingMessage,
  done: (error: ApiError | null, body?: Buffer) => void
) => void

function ownerOf({ bodyOwner, ip }: FastifyRequest): BodyOwner {
  return bodyOwner === undefined
    ? { key: `address:${limiterKeyOf(ip)}`, isVerified: false }
    : { key: bodyOwner, isVerified: true }
}

function tooLarge(limit: number): ApiError {
  return new ApiError('PAYLOAD_TOO_LARGE', `the body is larger than ${limit} bytes`)
}

function noCapacity(): ApiError {
  const message = 'the gateway already holds as many bytes of request bodies as it may: try again'
  return new ApiError('UNAVAILABLE', message, { outcome: 'unsent' })
}

/** @returns undefined if the body comes in chunks */
function declaredBytes({ headers }: IncomingMessage): number | undefined {
  return headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : undefined
}

/** A body that grows as it arrives. Bytes are copied, because a small piece would keep its whole read buffer alive. */
class PendingBody {
  #bytes: Buffer
  #length = 0
  #pieces = 0
  readonly #limit: number
  readonly #grow: (bytes: number) => boolean

  constructor(bytes: number, limit: number, grow: (bytes: number) => boolean) {
    this.#bytes = Buffer.allocUnsafe(bytes)
    this.#limit = limit
    this.#grow = grow
  }

  /** @returns the refusal of the whole body, if the chunk does not fit */
  add(piece: Buffer): ApiError | undefined {
    const wanted = this.#length + piece.length
    if (wanted > this.#limit) return tooLarge(this.#limit)
    if (++this.#pieces > maxBodyPieces) {
      return new ApiError('BAD_REQUEST', `the body arrives in more than ${maxBodyPieces} pieces`)
    }
    if (wanted > this.#bytes.length && !this.#extend(wanted)) return noCapacity()
    piece.copy(this.#bytes, this.#length)
    this.#length = wanted
    return undefined
  }

  #extend(wanted: number): boolean {
    const size = Math.min(this.#limit, Math.max(wanted, this.#bytes.length * 2))
    if (!this.#grow(size - this.#bytes.length)) return false
    const bytes = Buffer.allocUnsafe(size)
    this.#bytes.copy(bytes, 0, 0, this.#length)
    this.#bytes = bytes
    return true
  }

  get bytes(): Buffer {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#length)
  }
}

/** The bytes of a body stay reserved until the request is answered, because its handler holds them. */
export function createBodyReader(budget: BodyBudget): ReadBody {
  return (request, payload, done) => {
    const limit = request.routeOptions.bodyLimit
    const declared = declaredBytes(request.raw)
    if (declared !== undefined && declared > limit) return done(tooLarge(limit))
    const reserved = declared ?? Math.min(firstBytes, limit)
    const reservation = budget.reserve(ownerOf(request), reserved)
    if (reservation === undefined) return done(noCapacity())
    const isHeld = holdUntilAnswered(request.raw, reservation)
    const body = new PendingBody(reserved, limit, reservation.grow)

    function finish(error: ApiError | null): void {
      payload.off('data', onData)
      payload.off('end', onEnd)
      payload.off('error', onError)
      if (error !== null || !isHeld) reservation?.release()
      if (error === null) done(null, body.bytes)
      else done(error)
    }
    function onData(piece: Buffer): void {
      const refusal = body.add(piece)
      if (refusal !== undefined) finish(refusal)
    }
    const onEnd = () => finish(null)
    const onError = () => finish(new ApiError('BAD_REQUEST', 'the connection closed before the body was complete'))
    payload.on('data', onData)
    payload.on('end', onEnd)
    payload.on('error', onError)
  }
}
