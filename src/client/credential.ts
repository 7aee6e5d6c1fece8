import { byteLength } from '../protocol/check.js'
import { reasonOf } from './errors.js'
import type { Platform } from './options.js'

/** Obtains the credential of the application: a value, a function, or the answer of a ticket endpoint. */

/** A key of a client, or a ticket. */
export interface Credential {
  readonly clientId: string
  readonly keyId?: string
  /** The whole secret string, prefix included. */
  readonly secret: string
}

/** A credential; a ticket also states when it expires. */
export type GivenCredential = Credential & { readonly expiresAt?: number | string }

/** The part of a `fetch` answer that is used, so that `credential: () => fetch('/ticket')` works. */
export interface TicketResponse {
  readonly ok: boolean
  readonly status: number
  json(): Promise<unknown>
}

export type CredentialOption =
  | GivenCredential
  | (() => GivenCredential | TicketResponse | Promise<GivenCredential | TicketResponse>)

const identifier = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const maxSecretBytes = 64

function isResponse(value: object): value is TicketResponse {
  return typeof (value as Partial<TicketResponse>).json === 'function'
}

/** @throws Error that names the fault, without the secret */
async function checked(given: unknown): Promise<GivenCredential> {
  let value = given
  if (typeof value === 'object' && value !== null && isResponse(value)) {
    if (!value.ok) throw new Error(`${value.status} from the ticket endpoint`)
    try {
      value = await value.json()
    } catch (error) {
      throw error instanceof SyntaxError ? new Error('the ticket endpoint answered no JSON') : error
    }
  }
  if (typeof value !== 'object' || value === null)
    throw new Error(`the credential is ${value === null ? 'null' : typeof value}`)
  const { clientId, keyId, secret, code, message } = value as Record<string, unknown>
  if (typeof clientId !== 'string' || typeof secret !== 'string') {
    const answer = typeof code === 'string' ? `; the answer was ${code}: ${String(message)}` : ': did the request fail?'
    throw new Error(`the credential has no clientId and secret${answer}`)
  }
  const wrong = (name: string) => new Error(`the ${name} of the credential is malformed`)
  if (!identifier.test(clientId)) throw wrong('clientId')
  if (keyId !== undefined && (typeof keyId !== 'string' || !identifier.test(keyId))) throw wrong('keyId')
  if (secret === '' || byteLength(secret) > maxSecretBytes) throw wrong('secret')
  return value as GivenCredential
}

/**
 * @param timeoutMs  the attempt then fails, and a late result is ignored
 * @throws Error whose message is the cause
 */
export function obtainCredential(
  option: CredentialOption,
  timeoutMs: number,
  { setTimer, clearTimer }: Pick<Platform, 'setTimer' | 'clearTimer'>
): Promise<GivenCredential> {
  return new Promise((resolve, reject) => {
    const timer = setTimer(
      () => reject(new Error(`the credential did not arrive within ${timeoutMs} ms (credentialTimeoutMs)`)),
      timeoutMs
    )
    const fetched = async () => checked(typeof option === 'function' ? await option() : option)
    fetched()
      .then(resolve, (error: unknown) => reject(new Error(`no credential: ${reasonOf(error)}`)))
      .then(() => clearTimer(timer))
  })
}

/** Unix milliseconds; undefined for a credential that does not state its expiry. */
export function expiryOf({ expiresAt }: GivenCredential): number | undefined {
  const at = typeof expiresAt === 'string' ? Date.parse(expiresAt) : expiresAt
  return typeof at === 'number' && Number.isFinite(at) ? at : undefined
}
