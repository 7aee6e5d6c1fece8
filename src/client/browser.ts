import { createPortableMac } from '../protocol/mac-portable.js'
import { CountersignClient } from './client.js'
import type { ClientOptions } from './options.js'
import { openBrowserSocket } from './socket-browser.js'

export type { Position, PublicationHandler, Subscription } from './channels.js'
export { CountersignClient } from './client.js'
export type {
  ClientEvents,
  ClientOptions,
  ClientState,
  Publication,
  Published,
  Validation,
  Welcome
} from './options.js'
export { RequestError } from './requests.js'
export type { Credential } from './session.js'

const nonceAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** 32 characters of 6 random bits each. */
function nonce(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(32)), byte => nonceAlphabet.charAt(byte & 63)).join('')
}

/**
 * Creates a client for browsers. It is idle until {@link CountersignClient.connect}.
 * @throws TypeError if `options.url` is not a ws:// or wss:// URL
 */
export function createClient(options: ClientOptions): CountersignClient {
  return new CountersignClient(
    {
      createMac: createPortableMac,
      openSocket: openBrowserSocket,
      random: Math.random,
      nonce,
      setTimer: (call, ms) => setTimeout(call, ms),
      clearTimer: timer => clearTimeout(timer as number | undefined)
    },
    options
  )
}
