import t, { type Test } from 'tap'
import { heapWarning } from '../../src/cli/heap-warning.js'
import { run } from '../helper/process.js'
import { until } from '../helper/until.js'
import { workerSettings } from './workers/helper.js'

/** The warning about a heap that is too small for COUNTERSIGN_MAX_SESSIONS. */

const mib = 1024 * 1024

t.test('compares the heap with the sessions that are allowed', async t => {
  t.equal(heapWarning(1000, 128 * mib), undefined)
  t.equal(heapWarning(100_000, 2048 * mib), undefined)
  t.match(heapWarning(100_000, 512 * mib), /heap of this process is 512 MiB: enough for about 47331 idle sessions/)
  t.match(heapWarning(1, 50 * mib), /about 0 idle sessions, and COUNTERSIGN_MAX_SESSIONS is 1: raise it/)
})

/** The lines about the heap that a gateway with a small one writes until it has stopped. */
async function heapLines(t: Test, settings: Record<string, string>): Promise<readonly string[]> {
  const env = { COUNTERSIGN_PORT: '0', COUNTERSIGN_LOG_LEVEL: 'warn', NODE_OPTIONS: '--max-old-space-size=200' }
  const gateway = run(t, ['serve'], { ...env, ...settings })
  await until('it has started', async () => gateway.stderr().includes('listening on'))
  gateway.child.kill('SIGTERM')
  await gateway.ended
  return (gateway.stdout() + gateway.stderr()).match(/the heap of this process is \d+ MiB: [^"]*/g) ?? []
}

t.test('bug: a process whose heap cannot hold its sessions started in silence', async t => {
  const lines = await heapLines(t, {})
  t.match(lines, [/COUNTERSIGN_MAX_SESSIONS is 100000/])
  t.equal(lines.length, 1)
})

t.test('bug: each of several workers warned of its heap', async t => {
  const lines = await heapLines(t, { ...(await workerSettings(t)), COUNTERSIGN_WORKERS: '2' })
  t.equal(lines.length, 1)
})
