import { randomBytes } from 'node:crypto'
import { type CountersignClient, createClient, type GivenCredential, RequestError } from '../client/node.js'
import type { Invocation, Io } from './command.js'
import { credentialSource, readCredential } from './credential.js'
import { Failure, Interrupted } from './errors.js'
import { textOf } from './gateway.js'
import { clean } from './output.js'

/** Commands that act as a client. */

/** @throws Failure unless the text is the URL of a gateway */
export function socketUrl(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url === undefined || !/^(http|ws)s?:$/.test(url.protocol)) {
    throw new Failure('--url must be like https://gateway.example.com or wss://gateway.example.com/v1/ws')
  }
  if (url.protocol.startsWith('ws')) return url.href
  return `${url.href.replace(/^http/, 'ws').replace(/\/$/, '')}/v1/ws`
}

/** Resolves with the first welcome. @throws Failure when the first attempts fail */
function welcomed(client: CountersignClient, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.on('welcome', () => resolve())
    client.on('trouble', ({ reason }) => {
      const advice = reason.startsWith('AUTHENTICATION_FAILED')
        ? 'are clientId, keyId and secret right, and is the client active?'
        : 'is the gateway running, and is --url right?'
      reject(new Failure(`no session with ${url} (${clean(reason)}): ${advice}`))
    })
  })
}

/** A promise that only rejects, possibly when nothing awaits it any more. */
export function rejection(start: (reject: (error: Error) => void) => void): Promise<never> {
  const promise = new Promise<never>((_resolve, reject) => start(reject))
  promise.catch(() => {})
  return promise
}

/** Rejects when the session ends from outside. */
function endOf(client: CountersignClient, io: Io): Promise<never> {
  return rejection(reject => {
    const interrupt = () => reject(new Interrupted())
    if (io.signal.aborted) interrupt()
    else io.signal.addEventListener('abort', interrupt, { once: true })
    client.on('stopped', ({ code, message }) =>
      reject(new Failure(`the gateway ended the session: ${clean(message)} (${code})`))
    )
  })
}

/**
 * Connects a client, works with it, and closes it.
 * @throws Failure, Interrupted, and what `work` throws
 */
export async function whileConnected<T>(
  client: CountersignClient,
  url: string,
  io: Io,
  work: () => Promise<T>
): Promise<T> {
  const ended = endOf(client, io)
  try {
    client.connect()
    await Promise.race([welcomed(client, url), ended])
    return await Promise.race([work(), ended])
  } finally {
    await client.close()
  }
}

/** Permissions of a ticket: patterns. */
export type Permissions = Partial<Record<'subscribe' | 'presence' | 'services', readonly string[]>>

/** Seconds. A command that lasts longer gets further tickets. */
const ticketSeconds = 300

/**
 * Gets tickets with the token, a new one for each handshake; the credential of `--credential` is used instead, if
 * given.
 */
async function credentialOf(
  invocation: Invocation,
  permissions: Permissions
): Promise<{ readonly url: string; readonly credential: () => Promise<GivenCredential> }> {
  const { options, gateway } = invocation
  if (options.credential !== undefined) {
    const credential = readCredential(invocation)
    const url = options.url ?? (await gateway.urlFor(credentialSource(invocation)))
    return { url, credential: async () => credential }
  }
  const clientId = options.client ?? `cli-${randomBytes(6).toString('hex')}`
  const create = async (): Promise<GivenCredential> => {
    const ticket = await gateway.call('POST', '/v1/tickets', { clientId, ttl: ticketSeconds, ...permissions })
    return {
      ...{ clientId, keyId: textOf(ticket, 'keyId'), secret: textOf(ticket, 'secret') },
      expiresAt: textOf(ticket, 'expiresAt')
    }
  }
  // Created before the session, so that a refusal is reported like that of any other request.
  let first: GivenCredential | undefined = await create()
  const credential = async () => {
    const ticket = first ?? (await create())
    first = undefined
    return ticket
  }
  return { url: await gateway.url(), credential }
}

/**
 * Opens a session, works with its client, and closes it.
 * @param permissions  of the ticket
 * @throws Failure, Interrupted, and errors of `work`
 */
export async function withClient<T>(
  invocation: Invocation,
  permissions: Permissions,
  work: (client: CountersignClient) => Promise<T>
): Promise<T> {
  const { url, credential } = await credentialOf(invocation, permissions)
  const client = createClient({ url: socketUrl(url), credential })
  return whileConnected(client, url, invocation.io, () => work(client))
}

/** @throws Failure for a refusal of the gateway */
export async function explained<T>(request: Promise<T>): Promise<T> {
  try {
    return await request
  } catch (error) {
    throw error instanceof RequestError ? new Failure(clean(error.message)) : error
  }
}
