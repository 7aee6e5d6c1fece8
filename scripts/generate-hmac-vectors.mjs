// Generates test/vectors/hmac-lengths.json: digests of node:crypto for lengths at which an HMAC implementation may fail. Keys
// and messages are simple patterns that any language can generate: npm run generate.
import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The same as bytes.pattern in roblox/test/bytes.luau. */
function pattern(length, seed) {
  return Uint8Array.from({ length }, (_, index) => ((index * 40503 + seed * 2531) >>> 8) & 0xff)
}

const keyBytes = [0, 1, 32, 63, 64, 65, 128, 200]
const longBytes = [4096, 16384, 65463, 65464, 65519, 65527, 65528, 65535, 65536, 65537, 65600, 131072, 200_000]
const cases = []
const add = (key, message) => {
  const mac = createHmac('sha256', pattern(key, 1)).update(pattern(message, 2)).digest('hex')
  cases.push({ key, message, mac })
}
for (let message = 0; message <= 300; message++) add(32, message)
for (const key of keyBytes) for (const message of [0, 55, 56, 64, 119, 120]) add(key, message)
for (const message of longBytes) add(32, message)

const lines = cases.map(each => `    ${JSON.stringify(each)}`)
const note =
  'lengths of key and message in bytes; byte i of a pattern with seed s is ((40503 i + 2531 s) >> 8) & 255; the key has seed 1, the message seed 2'
const text = `{\n  "note": ${JSON.stringify(note)},\n  "cases": [\n${lines.join(',\n')}\n  ]\n}\n`

if (process.argv.includes('--print')) process.stdout.write(text)
else writeFileSync(fileURLToPath(new URL('../test/vectors/hmac-lengths.json', import.meta.url)), text)
