import { createPortableMac, toHex } from '../protocol/mac-portable.js'
import { CountersignClient } from './client.js'
import type { ClientOptions } from './options.js'
import { openBrowserSocket } from './socket-browser.js'

export * from './exports.js'

/** 24 random bytes. Hex digits are base64url characters, too. */
function nonce(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(24)))
}

/** `reportError` is newer than Safari 15.0. */
function reportFault(error: unknown, source: string): void {
  console.error(`countersign: ${source} threw`)
  if (typeof reportError === 'function') reportError(error)
  else console.error(error)
}

/** The page is shown, visible or thawed again, or the network is back. */
function onWake(call: () => void): () => void {
  // A worker has no document.
  const page: Document | undefined = typeof document === 'undefined' ? undefined : document
  const ifVisible = () => {
    if (page?.visibilityState === 'visible') call()
  }
  const controller = new AbortController()
  const listen = (target: EventTarget | undefined, name: string, listener: () => void) =>
    target?.addEventListener(name, listener, controller)
  listen(globalThis, 'online', call)
  listen(globalThis, 'pageshow', call)
  listen(page, 'resume', call)
  listen(page, 'visibilitychange', ifVisible)
  return () => controller.abort()
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
      now: Date.now,
      setTimer: (call, ms) => setTimeout(call, ms),
      clearTimer: timer => clearTimeout(timer as number | undefined),
      reportFault,
      warn: line => console.warn(`countersign: ${line}`),
      onWake
    },
    options
  )
}
