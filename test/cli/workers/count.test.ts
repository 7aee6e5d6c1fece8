import t from 'tap'
import { explainCount, heapOptions, readResources, workerCount } from '../../../src/cli/workers/count.js'
import { maxWorkers } from '../../../src/config/schema.js'

const gib = 1024 ** 3
const redis = { kind: 'redis', url: 'redis://127.0.0.1' } as const
const embedded = { kind: 'embedded' } as const
const resources = (cores: number, memory: number) => ({ cores, memoryBytes: memory * gib, heapBytes: 2 * gib })

t.test('auto is one worker per core, as far as there is memory', async t => {
  const auto = (cores: number, memory: number) =>
    workerCount({ workers: 'auto', store: redis }, resources(cores, memory))
  t.equal(auto(8, 16), 8)
  t.equal(auto(8, 1), 4)
  t.equal(auto(8, 0.1), 1)
  t.equal(auto(1, 16), 1)
  t.equal(auto(500, 500), maxWorkers)
  t.equal(workerCount({ workers: 'auto', store: embedded }, resources(8, 16)), 1)
  t.equal(workerCount({ workers: 12, store: redis }, resources(2, 1)), 12, 'a number is meant')
})

t.test('auto is explained', async t => {
  const explain = (cores: number, memory: number) => explainCount({ store: redis }, resources(cores, memory))
  t.equal(explain(8, 16), 'COUNTERSIGN_WORKERS=auto: 8 workers, one per core')
  t.equal(explain(8, 1), 'COUNTERSIGN_WORKERS=auto: 4 workers for 8 cores: each needs 256 MiB of 1024')
  t.match(explainCount({ store: embedded }, resources(8, 16)), /one process, since the embedded store/)
})

t.test('the heaps of all workers fit into the memory', async t => {
  t.same(heapOptions(4, resources(4, 1), []), ['--max-old-space-size=192'])
  t.same(heapOptions(4, resources(4, 64), []), [], 'those of Node fit')
  for (const given of ['--max-old-space-size=99', '--max_old_space_size=99', '--import=x --max-heap-size=99']) {
    t.same(heapOptions(4, resources(4, 1), [given]), [], given)
  }
})

t.test('reads what this machine has', async t => {
  const { cores, memoryBytes, heapBytes } = readResources()
  t.ok(Number.isSafeInteger(cores) && cores >= 1)
  t.ok(memoryBytes > heapBytes / 8 && Number.isFinite(memoryBytes))
})
