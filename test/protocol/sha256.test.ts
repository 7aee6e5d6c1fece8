import { createHash, createHmac as createNodeHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { createHmac, sha256 } from '../../src/protocol/sha256.js'

/** SHA-256 and HMAC-SHA256 of the browser client, with published vectors and against node:crypto. */

interface Test {
  readonly key: string
  readonly msg: string
  readonly tag: string
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'))
}

const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const tagOf = ({ key, msg }: Test) => toHex(createHmac(hex(key))(hex(msg)))

t.test('FIPS 180-4 examples', async t => {
  const hashOf = (text: string) => toHex(sha256(Buffer.from(text)))
  t.equal(hashOf(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  t.equal(hashOf('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  const twoBlocks = 'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'
  t.equal(hashOf(twoBlocks), '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1')
})

t.test('RFC 4231: every case, truncated tags by their length', async t => {
  const { tests } = read<{ tests: (Test & { tc: number })[] }>('rfc4231.json')
  t.ok(tests.length >= 7)
  for (const test of tests) t.equal(tagOf(test).slice(0, test.tag.length), test.tag, `case ${test.tc}`)
})

t.test('Wycheproof: every valid tag matches, every invalid one does not', async t => {
  const { testGroups } = read<{ testGroups: { tests: (Test & { tcId: number; result: string })[] }[] }>(
    'wycheproof/hmac_sha256_test.json'
  )
  const counts = { valid: 0, invalid: 0 }
  for (const test of testGroups.flatMap(({ tests }) => tests)) {
    const isValid = test.result === 'valid'
    counts[isValid ? 'valid' : 'invalid']++
    t.equal(tagOf(test).slice(0, test.tag.length) === test.tag, isValid, `${test.tcId}`)
  }
  t.ok(counts.valid > 0 && counts.invalid > 0, JSON.stringify(counts))
})

const bytes = (maxLength: number) => fc.uint8Array({ maxLength })
/** Lengths around the borders of blocks, where the padding changes, and others. */
const message = fc.oneof(
  bytes(5000),
  fc
    .integer({ min: 0, max: 4 })
    .chain(blocks => fc.integer({ min: -10, max: 2 }).map(more => Math.max(0, 64 * blocks + more)))
    .chain(length => fc.uint8Array({ minLength: length, maxLength: length }))
)

/** Cuts bytes at random places, into parts that may be empty. */
const parts = message.chain(all =>
  fc.array(fc.nat(all.length), { maxLength: 8 }).map(cuts => {
    const borders = [0, ...cuts.sort((a, b) => a - b), all.length]
    return borders.slice(1).map((end, i) => all.subarray(borders[i], end))
  })
)

t.test('equals node:crypto for any length and any division into parts', async () => {
  fc.assert(
    fc.property(parts, bytes(200), (chunks, key) => {
      const hash = createHash('sha256')
      const hmac = createNodeHmac('sha256', key)
      for (const chunk of chunks) {
        hash.update(chunk)
        hmac.update(chunk)
      }
      return toHex(sha256(...chunks)) === hash.digest('hex') && toHex(createHmac(key)(...chunks)) === hmac.digest('hex')
    }),
    { numRuns: 2000 }
  )
})

t.test('a prepared key gives the same tags again', async t => {
  const hmac = createHmac(hex('0b'))
  const [first, other, again] = ['61', '62', '61'].map(text => toHex(hmac(hex(text))))
  t.equal(first, again)
  t.not(first, other)
})

t.test('the constants do not depend on how exactly an engine computes a cube root', async t => {
  const isPrime = (n: number) => Array.from({ length: n - 2 }, (_, i) => i + 2).every(divisor => n % divisor !== 0)
  const primes = Array.from({ length: 310 }, (_, i) => i + 2).filter(isPrime)
  t.equal(primes.length, 64)
  for (const prime of primes) {
    const scaled = (Math.cbrt(prime) % 1) * 2 ** 32
    // An error of 100 units in the last place of the root moves `scaled` by less than this.
    const error = 100 * 2 ** -50 * 2 ** 32
    t.equal(Math.floor(scaled - error), Math.floor(scaled + error), `${prime}`)
  }
})
