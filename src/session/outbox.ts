import { signMessage, signText } from '../protocol/frame.js'
import { outboxBytes, outboxFrames } from '../protocol/limits.js'
import type { Mac } from '../protocol/mac.js'
import type { Downstream } from '../protocol/messages.js'
import type { Transport } from './transport.js'

type WithoutSeq<Message> = Message extends unknown ? Omit<Message, 'seq'> : never
/** A downstream message, before it gets its seq and signature. */
export type Outgoing = WithoutSeq<Downstream>

/** Numbers, signs and sends the downstream frames of one session. */
export class Outbox {
  readonly #transport: Transport
  readonly #signer: Mac
  #sent = 0

  constructor(transport: Transport, signer: Mac) {
    this.#transport = transport
    this.#signer = signer
  }

  send(message: Outgoing): void {
    this.#transport.send(signMessage(this.#signer, Object.assign({ type: message.type, seq: ++this.#sent }, message)))
  }

  /** @param members  see `publicationMembers` */
  sendPublication(members: string): void {
    this.#transport.send(signText(this.#signer, `{"type":"publication","seq":${++this.#sent},${members}`))
  }

  /** Whether the client has left more unread than the outbox may hold (PROTOCOL §11). */
  get isOverfull(): boolean {
    const { bufferedBytes, bufferedFrames } = this.#transport
    return bufferedBytes > outboxBytes || bufferedFrames > outboxFrames
  }
}
