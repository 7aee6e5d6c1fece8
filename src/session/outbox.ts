import { signMessage, signText } from '../protocol/frame.js'
import { type FrameText, withSeq } from '../protocol/frame-text.js'
import { outboxBytes, outboxFrames } from '../protocol/limits.js'
import type { Mac } from '../protocol/mac.js'
import type { Downstream } from '../protocol/messages.js'
import type { Reply } from './handlers/handler.js'
import type { OutboxAccount, OutboxBudget } from './outbox-budget.js'
import type { Transport } from './transport.js'

type WithoutSeq<Message> = Message extends unknown ? Omit<Message, 'seq'> : never
/** A downstream message, before it gets its seq and signature. */
export type Outgoing = WithoutSeq<Downstream>

/** Numbers, signs and sends the downstream frames of one session. */
export class Outbox implements OutboxAccount {
  /** Maintained by {@link OutboxBudget}. */
  countedBytes = 0
  readonly #transport: Transport
  readonly #signer: Mac
  readonly #budget: OutboxBudget
  #sent = 0

  /** @param budget  of all sessions of this process */
  constructor(transport: Transport, signer: Mac, budget: OutboxBudget) {
    this.#transport = transport
    this.#signer = signer
    this.#budget = budget
  }

  /** @returns whether the client's unread data is above its bounds, see {@link refresh} */
  send(message: Outgoing | FrameText): boolean {
    const seq = ++this.#sent
    this.#transport.send(
      'members' in message
        ? signText(this.#signer, withSeq(message, seq))
        : signMessage(this.#signer, Object.assign({ type: message.type, seq }, message))
    )
    return this.refresh()
  }

  /** Like {@link send}, for a reply. @param re  the seq of the request */
  reply(re: number, reply: Reply): boolean {
    const seq = ++this.#sent
    this.#transport.send(signMessage(this.#signer, Object.assign({ type: reply.type, seq, re }, reply)))
    return this.refresh()
  }

  /** Whether a frame of this size stays within the bounds on unread data. */
  mayQueue(bytes: number): boolean {
    const { bufferedBytes, bufferedFrames } = this.#transport
    return bufferedBytes + bytes <= outboxBytes && bufferedFrames < outboxFrames
  }

  /** Counts unsent data. @returns whether the client's unread data is above its bounds (PROTOCOL §11) */
  refresh(): boolean {
    const { bufferedBytes, bufferedFrames } = this.#transport
    this.#budget.count(this, bufferedBytes)
    return bufferedBytes > outboxBytes || bufferedFrames > outboxFrames || this.#budget.isOverShare(this)
  }

  /** The session has ended: its connection is cut soon, whatever is unread. */
  release(): void {
    this.#budget.count(this, 0)
  }
}
