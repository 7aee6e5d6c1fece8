import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { type Mac, utf8 } from './mac.js'

const closingBrace = Uint8Array.of(0x7d)

/** The {@link MacMaker} for browsers. It prepares the keyed state once and clones it for each message. */
export function createPortableMac(key: Uint8Array): Mac {
  const keyed = hmac.create(sha256, key)
  return {
    ofText: text => bytesToHex(keyed.clone().update(utf8(text)).digest()),
    ofClosedBytes: (bytes, end) =>
      bytesToHex(keyed.clone().update(bytes.subarray(0, end)).update(closingBrace).digest())
  }
}
