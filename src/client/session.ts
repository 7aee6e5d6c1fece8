import { decodeUtf8, hasTail, signText, verifyFrame } from '../protocol/frame.js'
import { challengeTokenPattern, deriveSession, signChallenge } from '../protocol/handshake.js'
import { defaultLimits, protocolName } from '../protocol/limits.js'
import type { Mac, MacMaker } from '../protocol/mac.js'
import { type Attributes, type Downstream, type DownstreamMessages, decodeDownstream } from '../protocol/messages.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import type { Credential } from './credential.js'
import { type Encoded, type RequestLimits, requireWithin, unsignedText } from './encode.js'

/** A frame from the gateway, decoded. */
export type Received =
  | { readonly kind: 'challenge'; readonly answer: string }
  | { readonly kind: 'welcome'; readonly welcome: DownstreamMessages['welcome'] }
  | { readonly kind: 'message'; readonly message: Downstream }
  /** A type unknown to this version. It used up its `seq`. */
  | { readonly kind: 'unknown' }
  /** An unsigned error before the session: a hint (PROTOCOL §5.3). */
  | { readonly kind: 'hint'; readonly code: string; readonly message: string; readonly retryAfterMs: number }

export interface SignedFrame {
  readonly seq: number
  readonly frame: string
}

/** Levels that a list of publications adds to those of its data. */
const listLevels = 2

/**
 * The client's side of one session, without I/O: it answers challenges, signs and verifies frames, and counts both
 * sequences.
 */
export class ClientSession {
  readonly #createMac: MacMaker
  readonly #credential: Credential
  readonly #nonce: string
  readonly #attributes: Attributes | undefined
  #keys: { readonly signer: Mac; readonly verifier: Mac } | undefined
  #isOpen = false
  #lastSentSeq = 0
  #lastReceivedSeq = 0
  #depth = defaultLimits.depth + listLevels

  /** @param nonce  22 to 64 base64url characters, random */
  constructor(createMac: MacMaker, credential: Credential, nonce: string, attributes: Attributes | undefined) {
    this.#createMac = createMac
    this.#credential = credential
    this.#nonce = nonce
    this.#attributes = attributes
  }

  /** Signs a message as the next frame. Undefined members are left out. */
  sign({ type, ...members }: { readonly type: string; readonly [member: string]: unknown }): SignedFrame {
    return this.#signNext(seq => JSON.stringify({ type, seq, ...members }))
  }

  /**
   * Signs a request as the next frame.
   * @throws RequestError if its size exceeds a limit of this session's gateway. It then uses no `seq`
   */
  signRequest(encoded: Encoded, limits: RequestLimits): SignedFrame {
    requireWithin(encoded, limits, this.#lastSentSeq + 1)
    return this.#signNext(seq => unsignedText(encoded, seq))
  }

  #signNext(textOf: (seq: number) => string): SignedFrame {
    if (this.#keys === undefined) throw new Error('the session is not open yet')
    const seq = ++this.#lastSentSeq
    return { seq, frame: signText(this.#keys.signer, textOf(seq)) }
  }

  /**
   * Verifies and decodes the next frame.
   * @param frame  UTF-8
   * @throws ProtocolError for a frame that does not verify, has the wrong `seq`, or is malformed
   */
  receive(frame: Uint8Array): Received {
    if (this.#keys === undefined) return this.#receiveUnsigned(frame)
    // A refusal of the authenticate is unsigned: it has no signature tail.
    if (!this.#isOpen && !hasTail(frame)) return this.#receiveUnsigned(frame)
    const { seq, message } = decodeDownstream(verifyFrame(this.#keys.verifier, frame, this.#depth))
    if (seq !== this.#lastReceivedSeq + 1)
      throw new ProtocolError('SEQUENCE_INVALID', `expected seq ${this.#lastReceivedSeq + 1}`)
    this.#lastReceivedSeq = seq
    if (this.#isOpen) return message === undefined ? { kind: 'unknown' } : { kind: 'message', message }
    if (message?.type === 'error') return { kind: 'message', message }
    const { clientId, keyId } = this.#credential
    if (
      message?.type !== 'welcome' ||
      message.protocol !== protocolName ||
      message.clientId !== clientId ||
      (keyId !== undefined && message.keyId !== keyId)
    ) {
      throw new ProtocolError('PROTOCOL_ERROR', 'not the welcome of this client')
    }
    this.#isOpen = true
    this.#depth = Math.max(message.limits?.['depth'] ?? 0, defaultLimits.depth) + listLevels
    return { kind: 'welcome', welcome: message }
  }

  /** Answers a fresh challenge within the session (PROTOCOL §6.2). */
  answerChallenge(challengeToken: string): SignedFrame {
    this.#requireToken(challengeToken)
    const challengeSignature = signChallenge(this.#createMac, this.#credential.secret, challengeToken)
    return this.sign({ type: 'challengeResponse', challengeToken, challengeSignature })
  }

  #receiveUnsigned(frame: Uint8Array): Received {
    const { message } = decodeDownstream(decodeUtf8(frame))
    if (message?.type === 'error') {
      const { code, retryAfterMs = 0 } = message
      return { kind: 'hint', code, message: message.message, retryAfterMs }
    }
    if (message?.type !== 'challenge' || this.#keys !== undefined) {
      throw new ProtocolError('PROTOCOL_ERROR', 'expected a challenge')
    }
    return { kind: 'challenge', answer: this.#authenticate(message.challengeToken) }
  }

  /** PROTOCOL §4.1: signs only challenge tokens, so a fake server cannot obtain other signatures. */
  #requireToken(challengeToken: string): void {
    if (!challengeTokenPattern.test(challengeToken))
      throw new ProtocolError('PROTOCOL_ERROR', 'challengeToken must be 43 base64url characters')
  }

  #authenticate(challengeToken: string): string {
    this.#requireToken(challengeToken)
    const { clientId, keyId, secret } = this.#credential
    const { challengeSignature, clientKey, serverKey } = deriveSession(
      this.#createMac,
      secret,
      challengeToken,
      this.#nonce
    )
    this.#keys = { signer: this.#createMac(clientKey), verifier: this.#createMac(serverKey) }
    return this.sign({
      type: 'authenticate',
      protocol: protocolName,
      clientId,
      keyId,
      challengeToken,
      challengeSignature,
      clientNonce: this.#nonce,
      attributes: this.#attributes
    }).frame
  }
}
