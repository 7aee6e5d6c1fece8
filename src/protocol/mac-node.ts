import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { blockBytes, type Mac } from './mac.js'

/**
 * HMAC-SHA256 with node:crypto. RFC 2104: H(K xor opad, H(K xor ipad, text)), as two one-shot hashes over blocks that are
 * prepared once per key. `createHmac` creates a stream object per call and costs about twice as much for short messages.
 */

const ipad = 0x36
const opad = 0x5c
const digestBytes = 32
const closingBrace = 0x7d

// One buffer for the whole process, because a MAC is computed synchronously. It grows to the longest message, which the
// transports bound (PROTOCOL §11, frameBytes).
let scratch = Buffer.allocUnsafeSlow(4096)

function reserve(messageBytes: number): void {
  const needed = blockBytes + messageBytes
  if (scratch.length < needed) scratch = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(needed)))
}

/** The {@link MacMaker} for Node. */
export function createNodeMac(key: Uint8Array): Mac {
  const block = key.length > blockBytes ? hash('sha256', key, 'buffer') : key
  const inner = Buffer.alloc(blockBytes, ipad)
  const outer = Buffer.alloc(blockBytes + digestBytes, opad)
  for (const [i, byte] of block.entries()) {
    inner[i] = byte ^ ipad
    outer[i] = byte ^ opad
  }

  function tag(end: number): string {
    inner.copy(scratch, 0)
    outer.write(hash('sha256', scratch.subarray(0, end), 'binary'), blockBytes, 'binary')
    return hash('sha256', outer, 'hex')
  }

  return {
    ofText(text) {
      reserve(text.length * 3) // UTF-8 needs at most three bytes for a UTF-16 unit
      return tag(blockBytes + scratch.write(text, blockBytes, 'utf8'))
    },
    ofClosedBytes(bytes, end) {
      reserve(end + 1)
      scratch.set(end === bytes.length ? bytes : bytes.subarray(0, end), blockBytes)
      scratch[blockBytes + end] = closingBrace
      return tag(blockBytes + end + 1)
    }
  }
}
