import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { blockBytes, type Mac } from './mac.js'

/**
 * HMAC-SHA256 with node:crypto. RFC 2104: H(K xor opad, H(K xor ipad, text)), as two one-shot hashes over blocks that are
 * prepared once per key. `createHmac` creates a stream object per call and costs about twice as much for short messages.
 */

const ipadWord = 0x36363636
const opadWord = 0x5c5c5c5c
const digestBytes = 32
const blockWords = blockBytes / 4
const closingBrace = 0x7d

/** A buffer whose first block also has a view as words. */
class BlockBuffer {
  readonly bytes: Buffer
  readonly block: Int32Array

  constructor(length: number) {
    this.bytes = Buffer.allocUnsafeSlow(length)
    this.block = new Int32Array(this.bytes.buffer, 0, blockWords)
  }
}

// One pair of buffers for the whole process, because a MAC is computed synchronously. The inner one grows to the longest
// message, which the transports bound (PROTOCOL §11, frameBytes).
let inner = new BlockBuffer(4096)
const outer = new BlockBuffer(blockBytes + digestBytes)

function reserve(messageBytes: number): void {
  const needed = blockBytes + messageBytes
  if (inner.bytes.length < needed) inner = new BlockBuffer(2 ** Math.ceil(Math.log2(needed)))
}

/** A session keeps two of these, so each holds only its key: computing its pads takes less time than copying them. */
class NodeMac implements Mac {
  /** The key, filled up with zeros to a block. */
  readonly #key: Int32Array

  constructor(key: Uint8Array) {
    const bytes = new Uint8Array(blockBytes)
    bytes.set(key.length > blockBytes ? hash('sha256', key, 'buffer') : key)
    // A copy: so small an array lies in the heap itself, while a view would keep an external buffer.
    this.#key = Int32Array.from(new Int32Array(bytes.buffer))
  }

  /** The tag of the message in `inner`, which ends at `end`. */
  #tag(end: number): string {
    const key = this.#key
    for (let i = 0; i < blockWords; i++) {
      const word = key[i] ?? 0
      inner.block[i] = word ^ ipadWord
      outer.block[i] = word ^ opadWord
    }
    outer.bytes.write(hash('sha256', inner.bytes.subarray(0, end), 'binary'), blockBytes, 'binary')
    return hash('sha256', outer.bytes, 'hex')
  }

  ofText(text: string): string {
    reserve(text.length * 3) // UTF-8 needs at most three bytes for a UTF-16 unit
    return this.#tag(blockBytes + inner.bytes.write(text, blockBytes, 'utf8'))
  }

  ofClosedBytes(bytes: Uint8Array, end: number): string {
    reserve(end + 1)
    inner.bytes.set(end === bytes.length ? bytes : bytes.subarray(0, end), blockBytes)
    inner.bytes[blockBytes + end] = closingBrace
    return this.#tag(blockBytes + end + 1)
  }
}

/** The {@link MacMaker} for Node. */
export function createNodeMac(key: Uint8Array): Mac {
  return new NodeMac(key)
}
