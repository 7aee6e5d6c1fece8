import { type Mac, utf8 } from './mac.js'
import { HmacSha256 } from './sha256.js'

const closingBrace = Uint8Array.of(0x7d)

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

/** The {@link MacMaker} for browsers. */
export function createPortableMac(key: Uint8Array): Mac {
  const hmac = new HmacSha256(key)
  return {
    ofText: text => toHex(hmac.tag(utf8(text))),
    ofClosedBytes: (bytes, end) => toHex(hmac.tag(bytes.subarray(0, end), closingBrace))
  }
}
