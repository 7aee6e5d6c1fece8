import { type CodeName, codes } from '../protocol/codes.js'
import { signMessage } from '../protocol/frame.js'
import type { Mac } from '../protocol/mac.js'

/** What an exchange is answered with: an HTTP status and a body, signed wherever there is a session (PROTOCOL §9.2, §9.3). */
export interface ExchangeAnswer {
  readonly status: number
  readonly body: string
  /** Seconds, for `retry-after`. */
  readonly retryAfterSeconds?: number
}

export interface PolledParams {
  /** The poll number that is answered. */
  readonly re: number
  readonly more: boolean
  readonly superseded: boolean
}

/** Frames in order, then `polled`. */
export function polledAnswer(
  signer: Mac,
  frames: readonly string[],
  { re, more, superseded }: PolledParams
): ExchangeAnswer {
  const polled = signMessage(signer, { type: 'polled', re, more, superseded })
  return { status: 200, body: `${[...frames, polled].join('\n')}\n` }
}

export interface RefusalParams {
  readonly code: CodeName
  readonly message?: string
  /** The poll that is refused, where one verified. */
  readonly poll?: number | undefined
  readonly expectedSeq?: number
  readonly retryAfterMs?: number
}

/** A refused exchange: one signed frame outside the sequence, bound to its poll (PROTOCOL §9.3). */
export function refusedAnswer(
  signer: Mac,
  { code, message, poll, expectedSeq, retryAfterMs }: RefusalParams
): ExchangeAnswer {
  const { status } = codes[code]
  const frame = signMessage(signer, {
    type: 'error',
    ...(poll === undefined ? {} : { poll }),
    code,
    message: message ?? codes[code].message,
    ...(expectedSeq === undefined ? {} : { expectedSeq }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  })
  return { status, body: `${frame}\n`, ...retryAfter(retryAfterMs) }
}

/** The same before there is a session, or where its keys cannot be had. */
export function unsignedAnswer(code: CodeName, retryAfterMs?: number): ExchangeAnswer {
  const { status, message } = codes[code]
  const error = { type: 'error', code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  return { status, body: JSON.stringify(error), ...retryAfter(retryAfterMs) }
}

function retryAfter(ms: number | undefined): { retryAfterSeconds?: number } {
  return ms === undefined ? {} : { retryAfterSeconds: Math.max(1, Math.ceil(ms / 1000)) }
}
