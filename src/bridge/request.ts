import { verifyFrame } from '../protocol/frame.js'
import type { Limits } from '../protocol/limits.js'
import type { Mac } from '../protocol/mac.js'
import { type DecodedUpstream, decodePoll, decodeUpstream, type Poll } from '../protocol/messages.js'
import { ProtocolError } from '../protocol/protocol-error.js'

/** The body of an exchange (PROTOCOL §9.1): frames, one a line, the last one the poll. */

/** A message of a batch; `text` is its signed part, verified. */
export interface BatchMessage {
  readonly seq: number
  readonly text: string
  readonly decoded: DecodedUpstream
}

export interface ExchangeBody {
  readonly poll: Poll
  readonly messages: readonly BatchMessage[]
}

/** A body that cannot be taken; `poll` binds the refusal to its exchange, where the poll itself verified. */
export class RefusedBody extends Error {
  override readonly name = 'RefusedBody'
  readonly fault: ProtocolError
  readonly poll: number | undefined

  constructor(fault: ProtocolError, poll: number | undefined) {
    super(fault.message)
    this.fault = fault
    this.poll = poll
  }
}

const lineFeed = 0x0a

/** Lines end with LF; one at the end of the body is optional. An empty line is none of a frame. */
function splitLines(body: Uint8Array): Uint8Array[] {
  const end = body.at(-1) === lineFeed ? body.length - 1 : body.length
  const lines: Uint8Array[] = []
  let start = 0
  while (start <= end) {
    const found = body.indexOf(lineFeed, start)
    const stop = found < 0 || found > end ? end : found
    lines.push(body.subarray(start, stop))
    start = stop + 1
  }
  return lines
}

function readMessages(verifier: Mac, lines: readonly Uint8Array[], limits: Limits): readonly BatchMessage[] {
  const messages = lines.map((line): BatchMessage => {
    const text = verifyFrame(verifier, line, limits.depth)
    const decoded = decodeUpstream(text)
    if ('error' in decoded && decoded.error.code === 'PROTOCOL_ERROR') throw decoded.error
    return { seq: decoded.seq, text, decoded }
  })
  for (const [i, { seq, decoded }] of messages.entries()) {
    const before = messages[i - 1]
    if (before !== undefined && seq !== before.seq + 1) {
      throw new ProtocolError('PROTOCOL_ERROR', "a batch's seqs rise by 1 from line to line")
    }
    if (i < messages.length - 1 && 'message' in decoded && decoded.message.type === 'bye') {
      throw new ProtocolError('PROTOCOL_ERROR', 'a bye is the last message of its batch')
    }
  }
  return messages
}

/** Rule (a)'s bounds. */
function requireSizes(body: Uint8Array, lines: readonly Uint8Array[], limits: Limits): void {
  const { batchBytes, batchFrames, frameBytes } = limits
  const refuse = (what: string) => new ProtocolError('FRAME_TOO_LARGE', what)
  if (body.length > batchBytes) throw refuse(`an exchange has at most ${batchBytes} bytes`)
  if (lines.length > batchFrames + 1) throw refuse(`an exchange has at most ${batchFrames} messages`)
  if (lines.some(line => line.length > frameBytes)) throw refuse(`a frame has at most ${frameBytes} bytes`)
}

/**
 * Verifies and decodes all lines, before anything is changed (PROTOCOL §9.4 a). The poll comes first: it binds whatever
 * is said of the rest.
 * @throws RefusedBody PROTOCOL_ERROR, SIGNATURE_INVALID, FRAME_TOO_LARGE
 */
export function readExchange(verifier: Mac, body: Uint8Array, limits: Limits): ExchangeBody {
  const lines = splitLines(body)
  let poll: Poll | undefined
  try {
    const last = lines.at(-1) ?? body
    if (last.length > limits.frameBytes) throw new ProtocolError('FRAME_TOO_LARGE')
    poll = decodePoll(verifyFrame(verifier, last, limits.depth))
    requireSizes(body, lines, limits)
    return { poll, messages: readMessages(verifier, lines.slice(0, -1), limits) }
  } catch (error) {
    if (error instanceof ProtocolError) throw new RefusedBody(error, poll?.poll)
    throw error
  }
}
