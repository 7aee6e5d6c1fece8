import { spawnSync } from 'node:child_process'
import t from 'tap'

const mebibyte = 1024 * 1024
/** Memory of an idle gateway. */
const ownBytes = 48 * mebibyte
/** The shares of docs/operating.md together. */
const allShares = 7 / 8

function sharedBytes(heapMib: number): number {
  const module = JSON.stringify(new URL('../../src/store/memory-cost.ts', import.meta.url).href)
  const code = `import { shareOfHeap } from ${module}; console.log(shareOfHeap(${allShares}, Infinity))`
  const options = [`--max-old-space-size=${heapMib}`, '--import=tsx', '--input-type=module', '--eval', code]
  const { stdout, stderr } = spawnSync(process.execPath, options, { encoding: 'utf8' })
  t.equal(stderr, '')
  return Number(stdout)
}

t.test('bug: all shares together were more than a small heap', async t => {
  for (const heapMib of [96, 128, 512, 4096]) {
    const bytes = sharedBytes(heapMib)
    t.ok(bytes > (heapMib * mebibyte) / 8, `${bytes} bytes of ${heapMib} MiB`)
    t.ok(bytes + ownBytes <= heapMib * mebibyte, `${bytes} bytes of ${heapMib} MiB`)
  }
})
