import { hexToBytes, type MacMaker, utf8 } from './mac.js'

/** The cryptography of the handshake (PROTOCOL §4.3). */

/**
 * A challenge token: 32 random bytes in base64url. A client refuses to sign anything else, so a fake server cannot use it to
 * sign other texts.
 */
export const challengeTokenPattern = /^[A-Za-z0-9_-]{43}$/

/** The keys of one session, 32 raw bytes each. */
export interface SessionKeys {
  /** Signs upstream frames. */
  readonly clientKey: Uint8Array
  /** Signs downstream frames. */
  readonly serverKey: Uint8Array
}

/**
 * Signs a challenge token. The signature proves that its sender holds the secret.
 * @param createMac       `createNodeMac` or `createPortableMac`
 * @param secret          the whole secret string, prefix included (PROTOCOL §3)
 * @param challengeToken  43 base64url characters; see {@link challengeTokenPattern}
 * @returns `challengeSignature`: 64 lower-case hex characters
 */
export function signChallenge(createMac: MacMaker, secret: string, challengeToken: string): string {
  return createMac(utf8(secret)).ofText(challengeToken)
}

/**
 * Derives the response to a challenge and the keys of the session.
 * @param createMac       `createNodeMac` or `createPortableMac`
 * @param secret          the whole secret string, prefix included (PROTOCOL §3)
 * @param challengeToken  43 base64url characters; see {@link challengeTokenPattern}
 * @param clientNonce     22 to 64 base64url characters, random for each handshake
 */
export function deriveSession(
  createMac: MacMaker,
  secret: string,
  challengeToken: string,
  clientNonce: string
): SessionKeys & { readonly challengeSignature: string } {
  const mac = createMac(utf8(secret))
  // No part contains `:`, so different inputs never give the same text.
  const suffix = `${challengeToken}:${clientNonce}`
  return {
    challengeSignature: mac.ofText(challengeToken),
    clientKey: hexToBytes(mac.ofText(`countersign.v1:client:${suffix}`)),
    serverKey: hexToBytes(mac.ofText(`countersign.v1:server:${suffix}`))
  }
}
