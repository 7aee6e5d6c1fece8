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
const rotateThree = (word: number, a: number, b: number, c: number) =>
  rotate(word, a) ^ rotate(word, b) ^ rotate(word, c)

const scheduled = (i: number) => schedule[i] ?? 0

/** Word `i` of the message schedule, from 16 on (FIPS 180-4 §6.2.2, step 1). */
function nextWord(i: number): number {
  const w15 = scheduled(i - 15)
  const w2 = scheduled(i - 2)
  const sigma0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3)
  const sigma1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10)
  return (scheduled(i - 16) + sigma0 + scheduled(i - 7) + sigma1) | 0
}

/** Compresses the block of `view` at `at` into `state` (FIPS 180-4 §6.2.2). */
function compress(state: Int32Array, view: DataView, at: number): void {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let i = 0; i < 64; i++) {
    const word = i < 16 ? view.getInt32(at + 4 * i) : nextWord(i)
    schedule[i] = word
    const choice = (e & f) ^ (~e & g)
    const t1 = (h + rotateThree(e, 6, 11, 25) + choice + (roundConstants[i] ?? 0) + word) | 0
    const majority = (a & b) ^ (a & c) ^ (b & c)
    const t2 = rotateThree(a, 2, 13, 22) + majority
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] = (state[i] ?? 0) + word
}

/**
 * Continues a hash from a state.
 * @param start   the state after `before` bytes, which are whole blocks; it does not change
 * @param parts   the rest of the message
 */
function hashAfter(start: Int32Array, before: number, parts: readonly Uint8Array[]): Uint8Array {
  const state = Int32Array.from(start)
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const padded = new Uint8Array(Math.ceil((length + 1 + lengthBytes) / blockBytes) * blockBytes)
  let at = 0
  for (const part of parts) {
    padded.set(part, at)
    at += part.length
  }
  padded[length] = 0x80
  const view = new DataView(padded.buffer)
  const bits = (before + length) * 8
  view.setUint32(padded.length - 8, bits / twoTo32)
  view.setUint32(padded.length - 4, bits)
  for (let block = 0; block < padded.length; block += blockBytes) compress(state, view, block)
  const digest = new DataView(new ArrayBuffer(digestBytes))
  for (const [i, word] of state.entries()) digest.setInt32(4 * i, word)
  return new Uint8Array(digest.buffer)
}

/** @returns the 32 bytes of the hash of a message that is given in parts */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return hashAfter(initialState, 0, parts)
}

/**
 * Prepares a key: the states after the two pads are computed once.
 * @param key  of any length; one of more than 64 bytes is replaced by its hash
 * @returns a function that computes the 32 bytes of the tag of a message, which is given in parts
 */
export function createHmac(key: Uint8Array): (...parts: readonly Uint8Array[]) => Uint8Array {
  const block = key.length > blockBytes ? sha256(key) : key
  const stateAfter = (pad: number) => {
    const state = Int32Array.from(initialState)
    const padded = Uint8Array.from({ length: blockBytes }, (_, i) => (block[i] ?? 0) ^ pad)
    compress(state, new DataView(padded.buffer), 0)
    return state
  }
  const inner = stateAfter(0x36)
  const outer = stateAfter(0x5c)
  return (...parts) => hashAfter(outer, blockBytes, [hashAfter(inner, blockBytes, parts)])
}
