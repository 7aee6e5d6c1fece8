import { verifyFrame } from '../protocol/frame.js'
import type { Limits } from '../protocol/limits.js'
import type { Mac } from '../protocol/mac.js'
import { type DecodedUpstream, decodePoll, decodeUpstream, type Poll } from '../protocol/messages.js'
import { PollError, ProtocolError } from '../protocol/protocol-error.js'
import { decodeUtf8Node } from '../protocol/utf8-node.js'

/** The body of an exchange (PROTOCOL §9.1): frames, one per line, the last one the poll. */

/** A message of a batch. */
export interface BatchMessage {
  readonly seq: number
  /** The signed part, verified. */
  readonly text: string
  readonly decoded: DecodedUpstream
}

export interface ExchangeBody {
  readonly poll: Poll
  readonly messages: readonly BatchMessage[]
}

/** A body that is refused as a whole. */
export class RefusedBody extends Error {
  override readonly name = 'RefusedBody'
  readonly reason: ProtocolError
  /** The poll number, which binds the refusal to its exchange; undefined when no poll verified. */
  readonly poll: number | undefined

  constructor(reason: ProtocolError, poll: number | undefined) {
    super(reason.message)
    this.reason = reason
    this.poll = poll
  }
}

const lineFeed = 0x0a

/** Lines end with LF, optional after the last one. An empty line is returned as such; no frame is empty. */
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

function readMessage(verifier: Mac, line: Uint8Array, limits: Limits): BatchMessage {
  const text = verifyFrame(verifier, line, limits.depth, decodeUtf8Node)
  const decoded = decodeUpstream(text)
  if ('error' in decoded && decoded.error.code === 'PROTOCOL_ERROR') throw decoded.error
  return { seq: decoded.seq, text, decoded }
}

function requireOrder(messages: readonly BatchMessage[]): void {
  for (const [i, { seq, decoded }] of messages.entries()) {
    const before = messages[i - 1]
    if (before !== undefined && seq !== before.seq + 1) {
      throw new ProtocolError('PROTOCOL_ERROR', `seq must rise by 1 from line to line: ${before.seq}, then ${seq}`)
    }
    if (i < messages.length - 1 && 'message' in decoded && decoded.message.type === 'bye') {
      throw new ProtocolError('PROTOCOL_ERROR', 'bye must be the last message of its batch')
    }
  }
}

function requireSizes(body: Uint8Array, lines: readonly Uint8Array[], limits: Limits): void {
  const { batchBytes, batchFrames, frameBytes } = limits
  if (body.length > batchBytes) {
    throw new ProtocolError('FRAME_TOO_LARGE', `the body is ${body.length} bytes; the limit is ${batchBytes}`)
  }
  if (lines.length > batchFrames + 1) {
    throw new ProtocolError('FRAME_TOO_LARGE', `the body has more than ${batchFrames} messages`)
  }
  if (lines.some(line => line.length > frameBytes)) {
    throw new ProtocolError('FRAME_TOO_LARGE', `a line has more than ${frameBytes} bytes`)
  }
}

/**
 * Verifies and decodes all lines, before anything changes (PROTOCOL §9.4 a). The poll comes first: its number binds the
 * refusal of any other line.
 * @throws RefusedBody PROTOCOL_ERROR, SIGNATURE_INVALID, FRAME_TOO_LARGE
 */
export function readExchange(verifier: Mac, body: Uint8Array, limits: Limits): ExchangeBody {
  const lines = splitLines(body)
  let poll: Poll | undefined
  try {
    const last = lines.at(-1) ?? body
    if (last.length > limits.frameBytes) throw new ProtocolError('FRAME_TOO_LARGE')
    poll = decodePoll(verifyFrame(verifier, last, limits.depth, decodeUtf8Node))
    requireSizes(body, lines, limits)
    const messages = lines.slice(0, -1).map(line => readMessage(verifier, line, limits))
    requireOrder(messages)
    return { poll, messages }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    throw new RefusedBody(error, error instanceof PollError ? error.poll : poll?.poll)
  }
}
