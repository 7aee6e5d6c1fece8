import { signMessage, verifyFrame } from '../protocol/frame.js'
import { challengeTokenPattern, deriveSession, signChallenge } from '../protocol/handshake.js'
import { defaultLimits, protocolName } from '../protocol/limits.js'
import type { Mac, MacMaker } from '../protocol/mac.js'
import { type Attributes, type Downstream, type DownstreamMessages, decodeDownstream } from '../protocol/messages.js'
import { ProtocolError } from '../protocol/protocol-error.js'

/** What a client proves itself with: a client's key, or a ticket. */
export interface Credential {
  readonly clientId: string
  readonly keyId?: string
  readonly secret: string
}

/** What came of a frame from the gateway. */
export type Received =
  | { readonly kind: 'challenge'; readonly answer: string }
  | { readonly kind: 'welcome'; readonly welcome: DownstreamMessages['welcome'] }
  | { readonly kind: 'message'; readonly message: Downstream }
  /** A type that this version does not know: it took its seq. */
  | { readonly kind: 'unknown' }
  /** Unsigned, before a session: a hint and no more (PROTOCOL §5). */
  | { readonly kind: 'hint'; readonly code: string; readonly message: string; readonly retryAfterMs: number }

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * The client's side of one session: answers the challenge, verifies everything, counts both ways. It holds no socket
 * and no timer.
 */
export class ClientSession {
  readonly #createMac: MacMaker
  readonly #credential: Credential
  readonly #nonce: string
  readonly #attributes: Attributes | undefined
  #keys: { readonly signer: Mac; readonly verifier: Mac } | undefined
  #open = false
  #sent = 0
  #received = 0

  /** @param nonce  22 to 64 base64url characters, random */
  constructor(createMac: MacMaker, credential: Credential, nonce: string, attributes: Attributes | undefined) {
    this.#createMac = createMac
    this.#credential = credential
    this.#nonce = nonce
    this.#attributes = attributes
  }

  /** Signs the next frame. */
  sign(message: { readonly type: string; readonly [member: string]: unknown }): { seq: number; frame: string } {
    if (this.#keys === undefined) throw new Error('there is no session yet')
    const { type, ...members } = message
    const seq = ++this.#sent
    return { seq, frame: signMessage(this.#keys.signer, { type, seq, ...members }) }
  }

  /**
   * Takes the next frame.
   * @throws ProtocolError for anything that is not from this gateway, for this client, in this order
   */
  receive(frame: Uint8Array): Received {
    if (this.#keys === undefined) return this.#receiveUnsigned(frame)
    // A refusal of the authenticate is unsigned, and starts as no signed frame of ours can end.
    if (!this.#open && !this.#isSigned(frame)) return this.#receiveUnsigned(frame)
    const { seq, message } = decodeDownstream(verifyFrame(this.#keys.verifier, frame, defaultLimits.depth + 2))
    if (seq !== this.#received + 1) throw new ProtocolError('SEQUENCE_INVALID', `expected seq ${this.#received + 1}`)
    this.#received = seq
    if (this.#open) return message === undefined ? { kind: 'unknown' } : { kind: 'message', message }
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
    this.#open = true
    return { kind: 'welcome', welcome: message }
  }

  /** Answers a fresh challenge within the session (PROTOCOL §6). */
  answerChallenge(challengeToken: string): { seq: number; frame: string } {
    this.#requireToken(challengeToken)
    const challengeSignature = signChallenge(this.#createMac, this.#credential.secret, challengeToken)
    return this.sign({ type: 'challengeResponse', challengeToken, challengeSignature })
  }

  #isSigned(frame: Uint8Array): boolean {
    return decoder.decode(frame.subarray(-80, -66)) === ',"signature":"'
  }

  #receiveUnsigned(frame: Uint8Array): Received {
    const { message } = decodeDownstream(decoder.decode(frame))
    if (message?.type === 'error') {
      const { code, retryAfterMs = 0 } = message
      return { kind: 'hint', code, message: message.message, retryAfterMs }
    }
    if (message?.type !== 'challenge' || this.#keys !== undefined) {
      throw new ProtocolError('PROTOCOL_ERROR', 'expected a challenge')
    }
    return { kind: 'challenge', answer: this.#answerFirst(message.challengeToken) }
  }

  /** PROTOCOL §4: a false server cannot have anything signed that is no challenge token. */
  #requireToken(challengeToken: string): void {
    if (!challengeTokenPattern.test(challengeToken)) throw new ProtocolError('PROTOCOL_ERROR', 'not a challenge token')
  }

  #answerFirst(challengeToken: string): string {
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
      ...(keyId === undefined ? {} : { keyId }),
      challengeToken,
      challengeSignature,
      clientNonce: this.#nonce,
      ...(this.#attributes === undefined ? {} : { attributes: this.#attributes })
    }).frame
  }
}
