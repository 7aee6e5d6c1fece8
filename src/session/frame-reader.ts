import { verifyFrame } from '../protocol/frame.js'
import type { Mac } from '../protocol/mac.js'
import { type DecodedUpstream, decodeUpstream } from '../protocol/messages.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import { decodeUtf8Node } from '../protocol/utf8-node.js'

/** Verifies and decodes the upstream frames of one session on a transport that keeps order. */
export class FrameReader {
  readonly #verifier: Mac
  readonly #depth: number
  #lastSeq = 1 // the authenticate frame has seq 1 (PROTOCOL §4)

  /** @param depth  levels of nesting that a frame may have (PROTOCOL §11) */
  constructor(verifier: Mac, depth: number) {
    this.#verifier = verifier
    this.#depth = depth
  }

  /** The seq of the last frame that was in sequence. */
  get lastSeq(): number {
    return this.#lastSeq
  }

  /**
   * Checks the signature, then the text, then the seq (PROTOCOL §2, §5).
   * @returns the message, or the reason of a refusal that does not end the session
   * @throws ProtocolError for a frame that ends the session
   */
  read(frame: Uint8Array): DecodedUpstream {
    const decoded = decodeUpstream(verifyFrame(this.#verifier, frame, this.#depth, decodeUtf8Node))
    const expectedSeq = this.#lastSeq + 1
    if (decoded.seq !== expectedSeq) throw new ProtocolError('SEQUENCE_INVALID', `expected seq ${expectedSeq}`)
    this.#lastSeq = decoded.seq
    return decoded
  }
}
