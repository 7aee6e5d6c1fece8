import type { CallMac } from './call-id.js'
import type { CallOutcome } from './outcome.js'

/**
 * Messages between instances about calls, and stored results: authenticated texts that only the gateway can have made.
 */

/** A call on its way to its receiver. */
export interface IncomingCall {
  readonly sessionId: string
  readonly callId: string
  /** The caller's client; absent: it has no session. */
  readonly from?: string
  readonly method: string
  /** JSON text; absent: no data. */
  readonly data?: string
  /** Unix milliseconds. */
  readonly expiresAt: number
  /** The waiter for a call that the store does not keep: the call has no key, and one process awaits its outcome. */
  readonly reply?: string
}

export type Mail =
  | { readonly kind: 'call'; readonly call: IncomingCall }
  /** @param waiter  number of the waiter on the instance */
  | { readonly kind: 'outcome'; readonly waiter: number; readonly outcome: CallOutcome }

const macChars = 32

function signed(mac: CallMac, purpose: string, content: object): string {
  const text = JSON.stringify(content)
  return mac(`${purpose} ${text}`) + text
}

function open<T>(mac: CallMac, purpose: string, text: string): T | undefined {
  const content = text.slice(macChars)
  return text.slice(0, macChars) === mac(`${purpose} ${content}`) ? (JSON.parse(content) as T) : undefined
}

/** @param instanceId  the receiving instance; others reject the text */
export function writeMail(mac: CallMac, instanceId: string, mail: Mail): string {
  return signed(mac, `mail ${instanceId}`, mail)
}

/** @returns undefined unless a gateway wrote it for this instance */
export function readMail(mac: CallMac, instanceId: string, text: string): Mail | undefined {
  return open<Mail>(mac, `mail ${instanceId}`, text)
}

export function writeOutcome(mac: CallMac, recordId: string, outcome: CallOutcome): string {
  return signed(mac, `outcome ${recordId}`, outcome)
}

/** @returns undefined unless a gateway wrote it for this record */
export function readOutcome(mac: CallMac, recordId: string, text: string): CallOutcome | undefined {
  return open<CallOutcome>(mac, `outcome ${recordId}`, text)
}
