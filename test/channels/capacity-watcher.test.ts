import t from 'tap'
import { CapacityWatcher } from '../../src/channels/capacity-watcher.js'
import { type OwnerLimits, quotaLimits } from '../../src/channels/quotas.js'
import { StoreUnavailable } from '../../src/store/errors.js'
import type { StoreMemory } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'

/** Quotas follow from the memory that the store has. */

const MiB = 1024 * 1024
const clientQuotas = { bytesPerSecond: 1000, historyBytes: 0, channels: 20_000, tokenMultiple: 16 }
const settings = { rateLimit: true, clientQuotas }

function start(historyBytes = 0) {
  const clock = createClock()
  const lines: [string, object, string][] = []
  const write = (level: string) => (fields: object, message: string) => void lines.push([level, fields, message])
  const store = { isFull: false, memory: async (): Promise<StoreMemory | undefined> => undefined }
  const seen: OwnerLimits[] = []
  const watcher = new CapacityWatcher({
    store,
    limitsOf: max => quotaLimits({ ...settings, clientQuotas: { ...clientQuotas, historyBytes } }, [], max),
    onLimits: limits => void seen.push(limits),
    now: clock.now,
    log: { info: write('info'), warn: write('warn'), error: write('error') }
  })
  return { clock, lines, store, seen, watcher }
}

t.test('bug: quotas ignored that Redis has less than 256 MiB', async t => {
  const { clock, lines, store, seen, watcher } = start()
  store.memory = async () => ({ usedBytes: 5, maxBytes: 64 * MiB })
  await watcher.tick()
  t.match(seen.at(-1), { perClient: { historyBytes: 8 * MiB }, perToken: { historyBytes: 16 * MiB } })
  const { perClient, perToken } = seen.at(-1) as OwnerLimits
  t.ok(perToken.channels * 512 <= 8 * MiB || perToken.channels === perClient.channels)
  t.match(lines, [['info', { maxMemoryBytes: 64 * MiB, clientHistoryBytes: 8 * MiB }, /maxmemory of Redis/]])
  t.same(watcher.bounds(), [{ name: 'redis_memory_bytes', used: 5, limit: 64 * MiB }])
  store.memory = async () => ({ usedBytes: 5, maxBytes: 8192 * MiB })
  await watcher.tick()
  t.equal(seen.length, 1, 'read once a minute')
  clock.advance(60_000)
  await watcher.tick()
  t.match(seen.at(-1), { perClient: { historyBytes: 256 * MiB }, perToken: { historyBytes: 512 * MiB } })
  t.equal(lines.length, 2)
  clock.advance(60_000)
  await watcher.tick()
  store.memory = async () => {
    throw new StoreUnavailable()
  }
  clock.advance(60_000)
  await watcher.tick()
  t.equal(lines.length, 2, 'one line per change')
})

t.test('warns where the memory cannot be read, and where a setting exceeds it', async t => {
  const hidden = start()
  hidden.store.memory = async () => {
    throw new StoreUnavailable(new Error('NOPERM'))
  }
  await hidden.watcher.tick()
  t.match(hidden.lines, [['warn', { err: StoreUnavailable, clientHistoryBytes: 256 * MiB }, /INFO memory/]])
  const unlimited = start()
  await unlimited.watcher.tick()
  t.match(unlimited.lines, [['info', { clientHistoryBytes: 256 * MiB }, /no maxmemory/]])
  const tooMuch = start(60 * MiB)
  tooMuch.store.memory = async () => ({ usedBytes: 5, maxBytes: 64 * MiB })
  await tooMuch.watcher.tick()
  t.match(tooMuch.lines, [['warn', { clientHistoryBytes: 60 * MiB }, /COUNTERSIGN_CLIENT_HISTORY_BYTES/]])
})

t.test('one line when a store gets full, and one when it has memory again', async t => {
  const { lines, store, watcher } = start()
  await watcher.tick()
  lines.length = 0
  for (const isFull of [true, true, false, false]) {
    store.isFull = isFull
    await watcher.tick()
  }
  t.match(lines, [
    ['error', {}, /refuses/],
    ['info', {}, /again/]
  ])
})
