/** Inputs that are almost right: valid texts with a few faults. Everything is drawn from one seeded source. */

const oddValues = [
  ...[null, true, false, 0, -1, 1, 1.5, 1e21, 2 ** 53, -(2 ** 53), '', ' ', 'a', '*', '😀', '\u0000', '\u2028'],
  ...[[], {}, [[]], [null], { a: {} }, 'x'.repeat(300), 'é'.repeat(70), '__proto__', 'constructor']
]
const oddTexts = [
  '1e999',
  '-0',
  '"\\ud800"',
  '{"a":1,"a":2}',
  '{"__proto__":{"b":1}}',
  '01',
  '1.',
  '.5',
  'NaN',
  '"\\x"'
]
const oddNames = ['__proto__', 'constructor', 'toString', '', 'type', 'seq', 'signature', 'Type', 'type\u0000', 'é']
const oddBytes = [0x00, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x5b, 0x5c, 0x7b, 0x7d, 0x7f, 0x80, 0xc0, 0xed, 0xef, 0xff]
const deepLevels = [31, 32, 33, 34, 1000, 10_000]

/**
 * @param {() => number} random  uniform in [0, 1)
 */
export function createMutator(random) {
  const below = n => Math.floor(random() * n)
  const pick = list => list[below(list.length)]

  /** Replaces, removes or adds members of a message, at any level. */
  function changeMessage(message) {
    const copy = structuredClone(message)
    for (let i = below(3); i >= 0; i--) changeOne(copy)
    return copy
  }

  function changeOne(parent) {
    const names = Object.keys(parent)
    const name = pick(names)
    const value = parent[name]
    if (typeof value === 'object' && value !== null && Object.keys(value).length > 0 && random() < 0.6) {
      changeOne(value)
      return
    }
    if (names.length > 0 && random() < 0.2) delete parent[name]
    else if (random() < 0.2) parent[pick(oddNames)] = structuredClone(pick(oddValues))
    else if (names.length > 0) parent[name] = structuredClone(pick(oddValues))
  }

  /** Encodes a message; sometimes with a number, string or nesting that `JSON.stringify` would never write. */
  function encode(message) {
    const text = JSON.stringify(message)
    if (random() < 0.7) return text
    const values = [...text.matchAll(/:(-?\d+|"[^"\\]*"|true|false|null)/g)]
    if (values.length === 0) return text
    const { index } = pick(values)
    const end = index + values.find(each => each.index === index)[0].length
    return `${text.slice(0, index)}:${pick(oddTexts.concat(nested(pick(deepLevels))))}${text.slice(end)}`
  }

  function nested(levels) {
    return random() < 0.5 ? '['.repeat(levels) + ']'.repeat(levels) : '{"a":'.repeat(levels) + 1 + '}'.repeat(levels)
  }

  /** Flips, inserts, removes or repeats a few bytes. */
  function changeBytes(text) {
    let bytes = Buffer.from(text)
    for (let i = below(3); i >= 0; i--) {
      const at = below(bytes.length + 1)
      const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)]
      const kind = below(5)
      if (kind === 0) bytes = Buffer.concat([head, Buffer.from([pick(oddBytes)]), tail])
      else if (kind === 1) bytes = Buffer.concat([head, Buffer.from([below(256)]), tail.subarray(1)])
      else if (kind === 2) bytes = Buffer.concat([head, tail.subarray(below(20))])
      else if (kind === 3) bytes = Buffer.concat([head, tail.subarray(0, below(50)), tail])
      else bytes = head
    }
    return bytes
  }

  /** The bytes of a message that is often changed, and sometimes not JSON. */
  function bytesOf(message) {
    const changed = random() < 0.15 ? message : changeMessage(message)
    const text = encode(changed)
    return random() < 0.2 ? changeBytes(text) : Buffer.from(text)
  }

  function noise(most) {
    return Buffer.from(Array.from({ length: below(most) }, () => below(256)))
  }

  return { random, below, pick, changeMessage, encode, changeBytes, bytesOf, noise }
}
