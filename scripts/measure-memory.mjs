/**
 * Measures the heap cost of stored objects: the source of the constants in src/store/memory-cost.ts. Run: node
 * --expose-gc scripts/measure-memory.mjs
 */
const count = 100_000
const at = 1_764_446_000_000

function heapBytes() {
  for (let i = 0; i < 4; i++) globalThis.gc()
  return process.memoryUsage().heapUsed
}

/** Heap bytes per item that `make` keeps. */
function measure(name, make) {
  const kept = new Array(count).fill(undefined)
  const before = heapBytes()
  for (let i = 0; i < count; i++) kept[i] = make(i)
  const bytes = (heapBytes() - before) / count
  console.log(`${name.padEnd(56)} ${bytes.toFixed(0)} bytes`)
  return kept
}

const text = (i, character, length) => character.repeat(length - 8) + String(i).padStart(8, '0')
const nameOf = i => Buffer.from(text(i, 'n', 20)).toString()

for (const length of [8, 100, 1000]) {
  measure(`publication of ${length} Latin-1 characters`, i => ({
    offset: i,
    data: Buffer.from(text(i, 'x', length)).toString(),
    publishedAt: at + i
  }))
}
measure('publication of 1000 other characters', i => ({
  offset: i,
  data: Buffer.from(text(i, '€', 1000)).toString(),
  publishedAt: at + i
}))

const channels = new Map()
measure('channel without publications, name of 20 characters', i => {
  const name = nameOf(i)
  const epoch = `abcdefghijkl${i.toString(36)}`
  // A literal with spreads would take twice as much.
  channels.set(name, {
    name,
    epoch,
    offset: 0,
    usedAt: at + i,
    historyEndsAt: 0,
    history: undefined,
    list: undefined,
    previous: undefined,
    next: undefined
  })
})
const results = new Map()
measure('idempotency result, key of 60 characters', i => {
  const key = Buffer.from(text(i, 'k', 60)).toString()
  results.set(key, { offset: i, epoch: 'e', digest: Buffer.from(text(i, 'd', 22)).toString(), endsAt: at + i })
})
