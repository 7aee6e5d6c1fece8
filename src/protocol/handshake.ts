import { bytesOfHex, type MacMaker, utf8 } from './mac.js'

/** Keys and proofs of the handshake (PROTOCOL §4). */

/** A challenge token: 32 random bytes in base64url. A client signs nothing else with its secret. */
export const challengeTokenPattern = /^[A-Za-z0-9_-]{43}$/

/** The keys of one session, 32 raw bytes each: upstream frames are signed with the one, downstream with the other. */
export interface SessionKeys {
  readonly clientKey: Uint8Array
  readonly serverKey: Uint8Array
}

/**
 * The proof that a challenge was answered by who holds the secret.
 * @param secret          the whole secret string, as shown (PROTOCOL §3)
 * @param challengeToken  43 base64url characters
 * @returns lower-case hex
 */
export function signChallenge(createMac: MacMaker, secret: string, challengeToken: string): string {
  return createMac(utf8(secret)).ofText(challengeToken)
}

/** What a credential makes of one challenge: its proof and the session's keys, from one keyed state. */
export function deriveSession(
  createMac: MacMaker,
  secret: string,
  challengeToken: string,
  clientNonce: string
): SessionKeys & { readonly challengeSignature: string } {
  const mac = createMac(utf8(secret))
  // The label keeps the directions apart; `:` occurs in no part, so no two inputs give one text.
  const tail = `${challengeToken}:${clientNonce}`
  return {
    challengeSignature: mac.ofText(challengeToken),
    clientKey: bytesOfHex(mac.ofText(`countersign.v1:client:${tail}`)),
    serverKey: bytesOfHex(mac.ofText(`countersign.v1:server:${tail}`))
  }
}
