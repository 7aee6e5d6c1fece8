import { type CodeName, codes } from './codes.js'

/** A frame or message that the gateway refuses. Verification and decoding throw no other error for a peer's input. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  /** The code to answer with. */
  readonly code: CodeName
  /** The frame's `seq`, where it could be read. */
  readonly seq: number | undefined

  constructor(code: CodeName, message: string = codes[code].message, seq?: number) {
    super(message)
    this.code = code
    this.seq = seq
  }
}

/** A request above a limit of its client. The session goes on. */
export class RateLimited extends ProtocolError {
  /** Retry delay, an integer of milliseconds. */
  readonly retryAfterMs: number

  constructor(message: string, retryAfterMs: number) {
    super('RATE_LIMITED', message)
    this.retryAfterMs = Math.ceil(retryAfterMs)
  }
}

/** A refused poll whose number could be read: the refusal names it (PROTOCOL §9.3). */
export class PollError extends ProtocolError {
  readonly poll: number

  constructor(poll: number, message?: string) {
    super('PROTOCOL_ERROR', message)
    this.poll = poll
  }
}
