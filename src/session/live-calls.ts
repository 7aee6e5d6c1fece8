import { answerCall } from '../calls/answer.js'
import { CallOrder } from '../calls/call-order.js'
import type { Delivered } from '../calls/carrier.js'
import type { IncomingCall } from '../calls/mailbox.js'
import { type CallOutcome, type CallResult, outcomeMessage, tooManyOpenCalls } from '../calls/outcome.js'
import type { CallRequest } from '../calls/request.js'
import type { CallRouter } from '../calls/router.js'
import { tailBytes } from '../protocol/frame.js'
import type { FrameText } from '../protocol/frame-text.js'
import type { WantedCall } from '../store/calls.js'
import type { SessionCalls } from './calls.js'
import type { Outgoing } from './outbox.js'

/** Received calls that are remembered until they expire, including answered ones. */
export const maxRememberedCalls = 4096
/** Bytes of a frame beside its data, estimated. */
export const frameOverheadBytes = 400

/** The session of these calls. */
export interface CallsOwner {
  readonly peer: { readonly sessionId: string }
  readonly ended: boolean
  /** Whether the client reads fast enough for a frame of this size. */
  mayQueue(bytes: number): boolean
  send(message: Outgoing | FrameText): void
}

interface ReceivedCall {
  /** Unix milliseconds. */
  readonly expiresAt: number
  /** See `IncomingCall`. */
  readonly reply: string | undefined
  isAnswered: boolean
}

/** The calls of a session that this instance serves. */
export class LiveCalls implements SessionCalls {
  readonly #router: CallRouter
  readonly #owner: CallsOwner
  readonly #maxOpen: number
  readonly #order = new CallOrder()
  readonly #received = new Map<string, ReceivedCall>()
  /** Outcomes that did not fit, by the seq of the call: the store keeps the result. */
  readonly #waiting = new Map<number, WantedCall>()
  #made = 0
  /** Received calls that are neither answered nor forgotten. */
  #open = 0

  /** @param maxOpen  most open calls that the session has made, and most that it has received */
  constructor(router: CallRouter, owner: CallsOwner, maxOpen: number) {
    this.#router = router
    this.#owner = owner
    this.#maxOpen = maxOpen
  }

  make(seq: number, request: CallRequest): void {
    if (this.#made >= this.#maxOpen) {
      throw tooManyOpenCalls(this.#maxOpen)
    }
    this.#made++
    void this.#make(seq, request)
  }

  async #make(seq: number, request: CallRequest): Promise<void> {
    const outcome = await this.#router.call(request, this.#order)
    if (this.#owner.mayQueue(bytesOf(outcome))) {
      this.#finish(seq, outcome)
      return
    }
    await this.#router.keep(request, outcome)
    this.#waiting.set(seq, { recordId: request.recordId, digest: request.digest })
  }

  #finish(seq: number, outcome: CallOutcome): void {
    this.#made--
    this.#owner.send(outcomeMessage(seq, outcome))
  }

  /** Delivers a call to the client. */
  receive({ callId, from, method, data, expiresAt, reply }: IncomingCall): Delivered {
    if (this.#owner.ended) return 'missing'
    // Anyone who can write to the store may repeat the text of another instance.
    if (this.#received.has(callId)) return 'delivered'
    if (this.#isFull) this.#forgetExpired()
    if (this.#isFull) return 'full'
    if (!this.#owner.mayQueue((data?.length ?? 0) + frameOverheadBytes)) return 'full'
    this.#received.set(callId, { expiresAt, reply, isAnswered: false })
    this.#open++
    this.#owner.send(callFrame({ callId, method, expiresAt, ...(from === undefined ? {} : { from }) }, data))
    return 'delivered'
  }

  #forgetExpired(): void {
    const now = this.#router.now()
    for (const [callId, call] of this.#received) {
      if (call.expiresAt > now) continue
      this.#received.delete(callId)
      this.#markAnswered(call, true)
    }
  }

  get #isFull(): boolean {
    return this.#open >= this.#maxOpen || this.#received.size >= maxRememberedCalls
  }

  async answer(callId: string, result: CallResult): Promise<boolean> {
    const { sessionId } = this.#owner.peer
    const call = this.#received.get(callId)
    if (call?.reply === undefined) {
      const isExpired = await answerCall(this.#router, sessionId, callId, result)
      if (call !== undefined) this.#markAnswered(call, true)
      return isExpired
    }
    if (call.isAnswered) return false
    this.#markAnswered(call, true)
    try {
      await this.#router.reply(call.reply, { kind: 'answered', sessionId, result })
    } catch (error) {
      if (this.#received.has(callId)) this.#markAnswered(call, false)
      throw error
    }
    return this.#router.now() > call.expiresAt
  }

  #markAnswered(call: ReceivedCall, isAnswered: boolean): void {
    if (call.isAnswered === isAnswered) return
    call.isAnswered = isAnswered
    this.#open += isAnswered ? -1 : 1
  }

  /** Forgets expired calls, and sends outcomes that did not fit before. */
  tick(): void {
    this.#forgetExpired()
    for (const [seq, call] of this.#waiting) {
      if (!this.#owner.mayQueue(frameOverheadBytes)) return
      this.#waiting.delete(seq)
      void this.#retry(seq, call)
    }
  }

  async #retry(seq: number, call: WantedCall): Promise<void> {
    const outcome = await this.#router.outcomeOf(call)
    if (this.#owner.mayQueue(bytesOf(outcome))) this.#finish(seq, outcome)
    else this.#waiting.set(seq, call)
  }

  /** The session has ended: it answers no more calls. */
  close(): void {
    for (const [callId, { reply, isAnswered }] of this.#received) {
      if (isAnswered) continue
      if (reply === undefined) this.#router.abandon([callId])
      else this.#router.abandonReply(reply)
    }
    this.#received.clear()
    this.#waiting.clear()
  }
}

function bytesOf(outcome: CallOutcome): number {
  const data = outcome.kind === 'answered' ? outcome.result.data : undefined
  return (data?.length ?? 0) + frameOverheadBytes + tailBytes
}

/** The frame that delivers a call to its receiver. @param data  JSON text; undefined: none */
export function callFrame(members: Omit<IncomingCall, 'sessionId' | 'data'>, data: string | undefined): FrameText {
  const text = JSON.stringify(members).slice(1, -1)
  return { type: 'call', members: `${text}${data === undefined ? '' : `,"data":${data}`}}` }
}
