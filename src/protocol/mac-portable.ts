import { type Mac, utf8 } from './mac.js'
import { createHmac } from './sha256.js'

const closingBrace = Uint8Array.of(0x7d)

/** Two lower-case hex digits for each byte. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

/** The {@link MacMaker} for browsers. */
export function createPortableMac(key: Uint8Array): Mac {
  const hmac = createHmac(key)
  return {
    ofText: text => toHex(hmac(utf8(text))),
    ofClosedBytes: (bytes, end) => toHex(hmac(bytes.subarray(0, end), closingBrace))
  }
}
