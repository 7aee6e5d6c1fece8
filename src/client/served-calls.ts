import { callErrorCharacters, callTimeoutMs } from '../protocol/limits.js'
import type { DownstreamMessages } from '../protocol/messages.js'
import type { CallHandler } from './answers.js'
import { type Encoded, encodeRequest, type RequestLimits } from './encode.js'
import { type CallFailure, RequestError, reasonOf } from './errors.js'
import type { ReportFault } from './events.js'
import type { Platform } from './options.js'
import { repeatMs } from './timing.js'

/** The calls to one session, and their answers (PROTOCOL §16). No other session can answer them. */

/** Bound of a session's calls whose handlers have not finished. */
export const maxRunningCalls = 1024
/** The same for each method. */
export const maxRunningPerMethod = 256
/** Remembered ids of calls, so that none runs twice. */
const maxRememberedCalls = 4096

/** The connection of a session. */
export interface ResultSender {
  readonly limits: RequestLimits
  /** Whether its session can still send. */
  readonly isUsable: boolean
  /** @returns the `seq`. @throws RequestError if its size exceeds a limit of the gateway */
  sendRequest(encoded: Encoded): number
}

export interface ServedCallsHost extends Pick<Platform, 'setTimer' | 'clearTimer' | 'now'> {
  handlerOf(method: string): CallHandler<never> | undefined
  /** Queues a call of the application that must not throw. `onDropped` is called instead if the client is closed before. */
  dispatch(call: () => void, onDropped: () => void): void
  /** Does the client's own work. */
  run(work: () => void): void
  fault: ReportFault
  /** A call was answered. */
  onSettled(): void
}

interface ServedCall {
  readonly message: DownstreamMessages['call']
  /** By the clock of this device. */
  readonly expiresAt: number
  answer?: Encoded
  /** Delay until a refused answer is sent again. */
  timer?: unknown
}

function failure(code: string, text: string): CallFailure {
  const message = text.replace(/[\ud800-\udfff]/gu, '\ufffd')
  return { code, message: [...message].slice(0, callErrorCharacters).join('') }
}

/** The answer for an error of the handler: its own `code` if it has one. */
function failureOf(error: unknown): CallFailure {
  const code = codeOf(error)
  const isCode = typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,63}$/.test(code)
  return failure(isCode ? code : 'HANDLER_FAILED', reasonOf(error))
}

function codeOf(error: unknown): unknown {
  try {
    return error instanceof Error ? (error as { code?: unknown }).code : undefined
  } catch {
    return undefined
  }
}

export class ServedCalls {
  readonly #connection: ResultSender
  readonly #serverAheadMs: number
  readonly #host: ServedCallsHost
  readonly #remembered = new Set<string>()
  readonly #open = new Set<ServedCall>()
  readonly #bySeq = new Map<number, ServedCall>()
  /** Set once no more handlers may start. */
  #isClosing = false

  /** @param serverTime  the gateway's clock now, in Unix milliseconds */
  constructor(connection: ResultSender, serverTime: number, host: ServedCallsHost) {
    this.#connection = connection
    this.#serverAheadMs = serverTime - host.now()
    this.#host = host
  }

  /** Whether an answer is due whose caller is still waiting. */
  get isBusy(): boolean {
    return [...this.#open].some(({ expiresAt }) => expiresAt > this.#host.now())
  }

  receive(message: DownstreamMessages['call']): void {
    const { callId, method } = message
    if (this.#remembered.has(callId)) return
    for (const oldest of this.#remembered) {
      if (this.#remembered.size < maxRememberedCalls) break
      this.#remembered.delete(oldest)
    }
    this.#remembered.add(callId)
    const now = this.#host.now()
    // The clock of this device may be changed meanwhile.
    const expiresAt = Math.min(message.expiresAt - this.#serverAheadMs, now + callTimeoutMs.max)
    const call: ServedCall = { message, expiresAt }
    const handler = this.#host.handlerOf(method)
    const isBusy = this.#isBusyWith(method)
    const refuse = (code: string, text: string) => this.#answer(call, { error: failure(code, `${text}; nothing ran`) })
    const refuseAsClosed = () => refuse('CLOSING', 'the client was closed')
    this.#open.add(call)
    if (this.#isClosing) refuseAsClosed()
    else if (handler === undefined) refuse('NO_HANDLER', `no handler for ${method}`)
    else if (isBusy) refuse('BUSY', `too many calls of ${method} are running`)
    else this.#host.dispatch(() => this.#start(call, handler), refuseAsClosed)
  }

  #isBusyWith(method: string): boolean {
    const ofMethod = [...this.#open].filter(({ message }) => message.method === method).length
    return ofMethod >= maxRunningPerMethod || this.#open.size >= maxRunningCalls
  }

  #start(call: ServedCall, handler: CallHandler<never>): void {
    if (!this.#open.has(call)) return
    const { data, from, callId, expiresAt } = call.message
    const run = async () => handler(data as never, { from, callId, expiresAt })
    run().then(
      result => this.#host.run(() => this.#answer(call, { data: result })),
      (error: unknown) =>
        this.#host.run(() => {
          this.#answer(call, { error: failureOf(error) })
          this.#fault(call, error)
        })
    )
  }

  #fault({ message }: ServedCall, error: unknown): void {
    this.#host.fault(error, `handle:${message.method}`)
  }

  #answer(call: ServedCall, members: { readonly data?: unknown; readonly error?: CallFailure | undefined }): void {
    const { callId, method } = call.message
    if (!this.#open.has(call)) {
      if (members.error === undefined) {
        const lost = `the result of ${method} was not sent: the session of the call is over`
        this.#fault(call, new RequestError('CLOSED', lost, { outcome: 'unsent' }))
      }
      return
    }
    const { limits } = this.#connection
    try {
      call.answer = encodeRequest('callResult', { callId, ...members }, limits)
      this.#send(call, call.answer)
    } catch (error) {
      this.#answer(call, { error: failure('HANDLER_FAILED', `the result cannot be sent: ${reasonOf(error)}`) })
      this.#fault(call, error)
    }
  }

  #send(call: ServedCall, answer: Encoded): void {
    if (this.#connection.isUsable) this.#bySeq.set(this.#connection.sendRequest(answer), call)
  }

  /** @returns whether the answer `re` belongs to a result */
  onAck(re: number): boolean {
    const call = this.#bySeq.get(re)
    if (call !== undefined) this.#settle(re, call)
    return call !== undefined
  }

  /** An error answers the message `re`. @returns whether that was a result */
  onRefused({ re, code, message, retryAfterMs }: DownstreamMessages['error']): boolean {
    const call = re === undefined ? undefined : this.#bySeq.get(re)
    if (call === undefined || re === undefined) return false
    const afterMs = repeatMs(retryAfterMs)
    const isTemporary = code === 'RATE_LIMITED' || code === 'UNAVAILABLE'
    const { answer } = call
    if (isTemporary && answer !== undefined && this.#host.now() + afterMs < call.expiresAt) {
      this.#bySeq.delete(re)
      call.timer = this.#host.setTimer(() => this.#send(call, answer), afterMs)
    } else {
      this.#settle(re, call)
      this.#fault(call, new RequestError(code, message, { retryAfterMs }))
    }
    return true
  }

  #settle(re: number, call: ServedCall): void {
    this.#bySeq.delete(re)
    this.#open.delete(call)
    this.#host.onSettled()
  }

  /** The client was closed: running handlers may finish, and no others start. */
  close(): void {
    this.#isClosing = true
  }

  /** The session is over. */
  end(): void {
    for (const { timer } of this.#open) this.#host.clearTimer(timer)
    this.#open.clear()
    this.#bySeq.clear()
  }
}
