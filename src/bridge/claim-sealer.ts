import type { SessionKeys } from '../protocol/handshake.js'
import { deriveKey, openText, sealText } from '../registry/aead.js'

/**
 * Seals the messages that the store keeps with their claims, where a `validate` contains a license key and a hwid, and
 * the open fresh challenge.
 */
export interface ClaimSealer {
  seal(seq: number, text: string): string
  /** @throws CannotUnseal when it was changed in the store */
  open(seq: number, sealed: string): string
}

/** For a store in this process's own memory. */
export const plainClaims: ClaimSealer = { seal: (_seq, text) => text, open: (_seq, text) => text }

/**
 * Seals under a key of the session's own, which follows from its session keys. It has far fewer messages than one key
 * may seal (`registry/aead.ts`): at 200 a second, a session of 24 h has 2^24.
 */
export function createClaimSealer(sessionId: string, { clientKey, serverKey }: SessionKeys): ClaimSealer {
  let derived: Uint8Array | undefined
  const key = () => {
    derived ??= deriveKey(Buffer.concat([clientKey, serverKey]), 'claims')
    return derived
  }
  return {
    seal: (seq, text) => sealText(key(), text, `${sessionId}:${seq}`),
    open: (seq, sealed) => openText(key(), sealed, `${sessionId}:${seq}`)
  }
}
