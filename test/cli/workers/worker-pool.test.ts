import t, { type Test } from 'tap'
import type { ToPrimary, ToWorker } from '../../../src/cli/workers/messages.js'
import { maxFailedStarts, restartDelayMs, stableMs } from '../../../src/cli/workers/restarts.js'
import { type WorkerListener, WorkerPool } from '../../../src/cli/workers/worker-pool.js'
import { createTimers } from '../../helper/timers.js'

/** Which workers are started, may listen, are replaced and are given up, without processes. */

interface FakeWorker {
  readonly number: number
  readonly pid: number
  readonly sent: string[]
  readonly killedBy: string[]
  readonly listener: WorkerListener
  send(message: ToPrimary): void
}

const listening: ToPrimary = { type: 'listening', url: 'http://127.0.0.1:1', instanceId: 'i_1' }

function createPool(count: number) {
  const timers = createTimers()
  const spawned: FakeWorker[] = []
  const lines: string[] = []
  const log = (level: string) => (_fields: object, message: string) => void lines.push(`${level} ${message}`)
  const pool = new WorkerPool({
    ...timers,
    count,
    spawn(number, listener) {
      const sent: string[] = []
      const killedBy: string[] = []
      const pid = spawned.length + 1
      spawned.push({ number, pid, sent, killedBy, listener, send: message => listener.received(message) })
      return { pid, send: ({ type }: ToWorker) => void sent.push(type), kill: signal => void killedBy.push(signal) }
    },
    setup: () => ({ type: 'reload' }),
    received() {},
    ended() {},
    log: { info: log('info'), warn: log('warn'), error: log('error'), fatal: log('fatal') }
  })
  return { pool, timers, spawned, lines }
}

/** Lets what waits for a state go on. */
const settle = () => new Promise<void>(resolve => setImmediate(resolve))

async function startAll(t: Test, count: number) {
  const made = createPool(count)
  const { pool, spawned } = made
  const started = pool.start()
  t.equal(spawned.length, 1, 'the first one alone')
  spawned[0]?.send({ type: 'prepared' })
  await settle()
  t.equal(spawned.length, count, 'then the others')
  const early = spawned.filter(({ sent }) => sent.includes('listen'))
  t.equal(early.length, count === 1 ? 1 : 0, 'nobody listens before all can')
  for (const worker of spawned.slice(1)) worker.send({ type: 'prepared' })
  await settle()
  t.ok(
    spawned.every(({ sent }) => sent.includes('listen')),
    'all listen at the same time'
  )
  for (const worker of spawned) worker.send(listening)
  t.same(await started, { url: 'http://127.0.0.1:1' })
  return made
}

/** A worker ends during its start. */
function failStart(worker: FakeWorker | undefined): void {
  worker?.send({ type: 'failed', reason: 'Redis does not answer' })
  worker?.listener.ended(1, null)
}

t.test('the first worker alone decides whether the gateway starts', async t => {
  const { pool, spawned } = createPool(4)
  const started = pool.start()
  failStart(spawned[0])
  t.same(await started, { reason: 'Redis does not answer' })
  t.equal(spawned.length, 1)
})

t.test('one of the others that does not start does not hold up the start', async t => {
  const { pool, spawned, timers } = createPool(2)
  const started = pool.start()
  spawned[0]?.send({ type: 'prepared' })
  await settle()
  failStart(spawned[1])
  await settle()
  spawned[0]?.send(listening)
  t.match(await started, { url: 'http://127.0.0.1:1' })
  timers.advance(0)
  const again = spawned[2]
  again?.send({ type: 'prepared' })
  t.same(again?.sent, ['listen'], 'it is started again, and listens as soon as it can')
})

t.test('a worker that served is replaced at once', async t => {
  const { pool, spawned, timers, lines } = await startAll(t, 2)
  timers.advance(stableMs)
  spawned[0]?.listener.ended(null, 'SIGKILL')
  t.same(
    pool.serving.map(({ pid }) => pid),
    [2]
  )
  t.equal(pool.replaced, 1)
  timers.advance(0)
  t.equal(spawned[2]?.number, 1, 'with its number')
  t.match(lines.at(-1), /^warn a worker ended: another one starts in its place/)
})

t.test('the delay grows with each end in a row, and has a bound', async t => {
  const delays = [0, 1, 2, 3, 4, 5, 6, 7, 100].map(restartDelayMs)
  t.same(delays, [0, 0, 250, 500, 1000, 2000, 4000, 4000, 4000])
})

t.test('a worker that ends again and again has three lines, while another one serves', async t => {
  const { spawned, timers, lines, pool } = await startAll(t, 2)
  lines.length = 0
  let hasFailed = false
  void pool.failed().then(() => {
    hasFailed = true
  })
  spawned[1]?.listener.ended(1, null)
  for (let i = 0; i < 2 * maxFailedStarts; i++) {
    timers.advance(10_000)
    failStart(spawned.at(-1))
  }
  await settle()
  t.same(
    lines.map(line => line.split(' ')[0]),
    ['warn', 'warn', 'error']
  )
  t.notOk(hasFailed)
  t.equal(timers.running().length, 1, 'it is tried again')
})

t.test('the pool gives up when no worker serves and none starts', async t => {
  const { spawned, timers, lines, pool } = await startAll(t, 1)
  spawned[0]?.listener.ended(null, 'SIGKILL')
  const failed = pool.failed()
  for (let i = 0; i < maxFailedStarts; i++) {
    t.notMatch(lines.join(), 'giving up')
    timers.advance(10_000)
    failStart(spawned.at(-1))
  }
  await failed
  t.match(lines.at(-1), /^fatal no worker serves/)
  pool.kill()
  t.same(timers.running(), [], 'no further start')
})

t.test('a start that succeeds in between begins the count again', async t => {
  const { spawned, timers, lines } = await startAll(t, 1)
  for (let i = 0; i < 2 * maxFailedStarts; i++) {
    spawned.at(-1)?.listener.ended(1, null)
    timers.advance(10_000)
    if (i % 2 === 1) continue
    spawned.at(-1)?.send({ type: 'prepared' })
    spawned.at(-1)?.send(listening)
  }
  t.notMatch(lines.join(), 'giving up')
})

t.test('a stop drains those that serve, ends those that start, and replaces none', async t => {
  const { pool, spawned, timers } = await startAll(t, 3)
  spawned[2]?.listener.ended(1, null)
  timers.advance(0)
  const stopped = pool.stop()
  t.ok(spawned[0]?.sent.includes('stop'))
  t.same(spawned[3]?.killedBy, ['SIGTERM'])
  spawned[0]?.listener.ended(0, null)
  spawned[1]?.listener.ended(0, null)
  spawned[3]?.listener.ended(null, 'SIGTERM')
  t.equal(await stopped, true)
  t.same(timers.running(), [])
  t.equal(spawned.length, 4)
})

t.test('a stop in which a worker ends with an error is reported', async t => {
  const { pool, spawned } = await startAll(t, 2)
  const stopped = pool.stop()
  spawned[0]?.listener.ended(0, null)
  spawned[1]?.listener.ended(1, null)
  t.equal(await stopped, false)
})

t.test('a stop during the start ends it', async t => {
  const { pool, spawned } = createPool(3)
  const started = pool.start()
  const stopped = pool.stop()
  spawned[0]?.listener.ended(null, 'SIGTERM')
  t.same(await started, { reason: '' })
  t.equal(await stopped, true)
  t.equal(spawned.length, 1)
})
