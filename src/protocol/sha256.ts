import { blockBytes } from './mac.js'

/**
 * SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104) for browsers, where WebCrypto is asynchronous and missing on http:// pages.
 * No branch and no index depends on the content of a message or key.
 */

const digestBytes = 32
/** Bytes at the end of the padding that hold the length of the message in bits. */
const lengthBytes = 8

const twoTo32 = 2 ** 32

/** The first 64 primes, from whose roots all constants follow (FIPS 180-4 §4.2.2, §5.3.3). */
const primes: number[] = []
for (let n = 2; primes.length < 64; n++) if (primes.every(prime => n % prime !== 0)) primes.push(n)

/** The first 32 bits of the fraction of each root, of which a double has at least 50. */
const fractions = (roots: number[]) => Int32Array.from(roots, root => (root % 1) * twoTo32)

const initialState = fractions(primes.slice(0, 8).map(Math.sqrt))
const roundConstants = fractions(primes.map(Math.cbrt))

/** The message schedule. One serves all hashes, because a block is compressed synchronously. */
const schedule = new Int32Array(64)

const rotate = (word: number, bits: number) => (word >>> bits) | (word << (32 - bits))

/** Compresses the block of `view` at `at` into `state` (FIPS 180-4 §6.2.2). */
function compress(state: Int32Array, view: DataView, at: number): void {
  for (let i = 0; i < 64; i++) {
    if (i < 16) {
      schedule[i] = view.getInt32(at + 4 * i)
      continue
    }
    const w15 = schedule[i - 15] ?? 0
    const w2 = schedule[i - 2] ?? 0
    const sigma0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3)
    const sigma1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10)
    schedule[i] = (schedule[i - 16] ?? 0) + sigma0 + (schedule[i - 7] ?? 0) + sigma1
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let i = 0; i < 64; i++) {
    const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    const choice = (e & f) ^ (~e & g)
    const t1 = (h + sum1 + choice + (roundConstants[i] ?? 0) + (schedule[i] ?? 0)) | 0
    const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    const majority = (a & b) ^ (a & c) ^ (b & c)
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + sum0 + majority) | 0
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] = (state[i] ?? 0) + word
}

/** A hash of bytes that arrive in parts. */
export class Sha256 {
  readonly #state: Int32Array
  /** The bytes that do not fill a block yet. */
  readonly #block: Uint8Array
  #length: number

  /** @param base  a hash to continue; it does not change */
  constructor(base?: Sha256) {
    this.#state = Int32Array.from(base === undefined ? initialState : base.#state)
    this.#block = Uint8Array.from(base === undefined ? new Uint8Array(blockBytes) : base.#block)
    this.#length = base === undefined ? 0 : base.#length
  }

  /** Adds bytes: up to 2^53-1 in all. */
  update(bytes: Uint8Array): this {
    const used = this.#length % blockBytes
    this.#length += bytes.length
    const head = Math.min(used === 0 ? 0 : blockBytes - used, bytes.length)
    this.#block.set(bytes.subarray(0, head), used)
    if (used > 0 && used + head === blockBytes) this.#compressBlock()
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    let at = head
    for (; at + blockBytes <= bytes.length; at += blockBytes) compress(this.#state, view, at)
    if (at < bytes.length) this.#block.set(bytes.subarray(at), 0)
    return this
  }

  #compressBlock(): void {
    compress(this.#state, new DataView(this.#block.buffer), 0)
  }

  /** @returns the 32 bytes of the hash. The object must not be used afterwards */
  digest(): Uint8Array {
    const used = this.#length % blockBytes
    this.#block.fill(0, used)
    this.#block[used] = 0x80
    if (used + 1 + lengthBytes > blockBytes) {
      this.#compressBlock()
      this.#block.fill(0)
    }
    const view = new DataView(this.#block.buffer)
    view.setUint32(blockBytes - lengthBytes, (this.#length * 8) / twoTo32)
    view.setUint32(blockBytes - 4, this.#length * 8)
    this.#compressBlock()
    const digest = new Uint8Array(digestBytes)
    const words = new DataView(digest.buffer)
    for (const [i, word] of this.#state.entries()) words.setInt32(4 * i, word)
    return digest
  }
}

/** HMAC-SHA256 with one key. The states after the two pads are computed once, and continued for each message. */
export class HmacSha256 {
  readonly #inner: Sha256
  readonly #outer: Sha256

  /** @param key  of any length; one of more than 64 bytes is replaced by its hash */
  constructor(key: Uint8Array) {
    const block = key.length > blockBytes ? new Sha256().update(key).digest() : key
    const padded = (pad: number) => Uint8Array.from({ length: blockBytes }, (_, i) => (block[i] ?? 0) ^ pad)
    this.#inner = new Sha256().update(padded(0x36))
    this.#outer = new Sha256().update(padded(0x5c))
  }

  /** @returns the 32 bytes of the tag of a message that is given in parts */
  tag(...parts: readonly Uint8Array[]): Uint8Array {
    const inner = new Sha256(this.#inner)
    for (const part of parts) inner.update(part)
    return new Sha256(this.#outer).update(inner.digest()).digest()
  }
}
