import { randomBytes } from 'node:crypto'
import { createNodeMac } from '../protocol/mac-node.js'
import { CountersignClient } from './client.js'
import type { CredentialOption } from './credential.js'
import { reasonOf } from './errors.js'
import { codeOf } from './network-cause.js'
import type { ClientOptions } from './options.js'
import { openNodeSocket } from './socket-node.js'

export * from './exports.js'

/** Adds the code of a network failure, such as `ECONNREFUSED`, to the message of `fetch`, which is "fetch failed". */
function withNetworkCause(credential: CredentialOption): CredentialOption {
  if (typeof credential !== 'function') return credential
  return async () => {
    try {
      return await credential()
    } catch (error) {
      const code = error instanceof Error ? codeOf(error.cause) : undefined
      throw code === undefined ? error : new Error(`${reasonOf(error)}: ${code}`, { cause: error })
    }
  }
}

/**
 * Creates a client for Node. It is idle until {@link CountersignClient.connect}.
 * @throws TypeError if `options.url` is not a ws:// or wss:// URL
 */
export function createClient(options: ClientOptions): CountersignClient {
  return new CountersignClient(
    {
      createMac: createNodeMac,
      openSocket: openNodeSocket,
      random: Math.random,
      nonce: () => randomBytes(24).toString('base64url'),
      now: Date.now,
      setTimer: (call, ms) => setTimeout(call, ms),
      clearTimer: timer => clearTimeout(timer as Parameters<typeof clearTimeout>[0]),
      reportFault: (error, source) => console.error(`countersign: ${source} threw`, error),
      warn: line => console.warn(`countersign: ${line}`),
      onWake: () => () => {}
    },
    { ...options, credential: withNetworkCause(options.credential) }
  )
}
