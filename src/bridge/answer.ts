import { type CodeName, codes } from '../protocol/codes.js'
import { signMessage, signText } from '../protocol/frame.js'
import type { Mac } from '../protocol/mac.js'
import type { StoreOutcome } from '../store/store.js'

/** The answer to a request of the bridge: signed wherever a session's keys are available (PROTOCOL §9.2, §9.3). */
export interface ExchangeAnswer {
  readonly status: number
  /** The error code of a refusal. */
  readonly code?: string
  readonly body: string
  /** Value of the `retry-after` header, in seconds. */
  readonly retryAfterSeconds?: number
}

export interface PolledParams {
  /** The poll number that is answered. */
  readonly re: number
  readonly more: boolean
  readonly superseded: boolean
}

export interface RefusalParams {
  readonly code: CodeName
  readonly message?: string
  /** The poll that is refused; undefined when none verified. */
  readonly poll?: number | undefined
  readonly expectedSeq?: number
  /** Milliseconds; rounded up, as the wire has integers only. */
  readonly retryAfterMs?: number
  /** With UNAVAILABLE: whether messages of the exchange may have run. */
  readonly outcome?: StoreOutcome
}

/** Frames in order, then `polled`. */
export function polledAnswer(signer: Mac, frames: readonly string[], params: PolledParams): ExchangeAnswer {
  const { re, more, superseded } = params
  const polled = signText(signer, `{"type":"polled","re":${re},"more":${more},"superseded":${superseded}}`)
  return { status: 200, body: `${[...frames, polled].join('\n')}\n` }
}

/** `polled` alone: a newer poll gets the frames (PROTOCOL §9.4 f). */
export function supersededAnswer(signer: Mac, poll: number): ExchangeAnswer {
  return polledAnswer(signer, [], { re: poll, more: false, superseded: true })
}

/** A refused exchange: one signed frame outside the sequence, bound to its poll (PROTOCOL §9.3). */
export function refusedAnswer(signer: Mac, params: RefusalParams): ExchangeAnswer {
  const { code, message = codes[code].message, poll, expectedSeq, retryAfterMs, outcome } = params
  const retry = retryAfter(retryAfterMs)
  const frame = signMessage(signer, {
    type: 'error',
    ...(poll === undefined ? {} : { poll }),
    code,
    message,
    ...(expectedSeq === undefined ? {} : { expectedSeq }),
    ...retry.member,
    ...(outcome === undefined ? {} : { outcome })
  })
  return { status: codes[code].status, code, body: `${frame}\n`, ...retry.header }
}

/** A refusal before a session exists, or where its keys are unavailable. */
export function unsignedAnswer(code: CodeName, retryAfterMs?: number, outcome?: StoreOutcome): ExchangeAnswer {
  const { status, message } = codes[code]
  const retry = retryAfter(retryAfterMs)
  const error = { type: 'error', code, message, ...retry.member, ...(outcome === undefined ? {} : { outcome }) }
  return { status, code, body: JSON.stringify(error), ...retry.header }
}

/** A refusal of the request as such, before the protocol sees it. */
export function refusedRequest(status: number, code: string, message: string): ExchangeAnswer {
  return { status, code, body: JSON.stringify({ type: 'error', code, message }) }
}

interface RetryAfter {
  readonly member: { readonly retryAfterMs?: number }
  readonly header: { readonly retryAfterSeconds?: number }
}

const noRetry: RetryAfter = { member: {}, header: {} }

function retryAfter(ms: number | undefined): RetryAfter {
  if (ms === undefined) return noRetry
  return {
    member: { retryAfterMs: Math.ceil(ms) },
    header: { retryAfterSeconds: Math.max(1, Math.ceil(ms / 1000)) }
  }
}
