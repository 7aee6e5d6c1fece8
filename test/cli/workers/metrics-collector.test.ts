import t from 'tap'
import { MetricsCollector, workerAnswerMs } from '../../../src/cli/workers/metrics-collector.js'
import { SharedMetrics } from '../../../src/cli/workers/shared-metrics.js'
import type { MetricValues } from '../../../src/metrics.js'
import { createTimers } from '../../helper/timers.js'

/** How the metrics of several workers become those of the gateway. */

function metric(name: string, type: string, aggregator: string, value: number, labels = {}): MetricValues {
  return { name, help: name, type, aggregator, values: [{ value, labels }] }
}

/** A worker's answer, with all its numbers derived from one. */
function answer(n: number): MetricValues[] {
  return [
    metric('handshakes_total', 'counter', 'sum', n, { result: 'welcome' }),
    metric('sessions', 'gauge', 'sum', n),
    metric('lag_seconds', 'gauge', 'max', n),
    {
      ...metric('countersign_bound_limit', 'gauge', 'sum', 100, { bound: 'sessions' }),
      values: [
        { value: 100, labels: { bound: 'sessions' } },
        { value: 5000, labels: { bound: 'redis_memory_bytes' } }
      ]
    }
  ]
}

function createCollector(pids: number[]) {
  const timers = createTimers()
  const asked: { pid: number; round: number }[] = []
  const errors: unknown[] = []
  const collector = new MetricsCollector({
    ...timers,
    workers: () => pids.map(pid => ({ pid, readMetrics: round => void asked.push({ pid, round }) })),
    counts: () => ({ configured: 3, replaced: 7 }),
    onError: error => void errors.push(error)
  })
  return { collector, timers, asked, pids, errors }
}

const settle = () => new Promise<void>(resolve => setImmediate(resolve))

t.test('adds counters and gauges, and shows the slowest', async t => {
  const { collector, asked } = createCollector([11, 12])
  const rendered = collector.render()
  t.same(asked, [
    { pid: 11, round: 1 },
    { pid: 12, round: 1 }
  ])
  collector.received(11, 1, answer(2))
  collector.received(12, 1, answer(3))
  const text = await rendered
  for (const line of [
    'handshakes_total{result="welcome"} 5',
    'sessions 5',
    'lag_seconds 3',
    'countersign_bound_limit{bound="sessions"} 200',
    'countersign_bound_limit{bound="redis_memory_bytes"} 5000',
    'countersign_workers 2',
    'countersign_workers_configured 3',
    'countersign_workers_unanswered 0',
    'countersign_workers_replaced_total 7'
  ]) {
    t.ok(text.split('\n').includes(line), line)
  }
})

t.test('a worker that does not answer delays no scrape, and its counters stay', async t => {
  const { collector, timers, asked } = createCollector([11, 12])
  let rendered = collector.render()
  collector.received(11, 1, answer(2))
  collector.received(12, 1, answer(3))
  await rendered
  timers.advance(workerAnswerMs)
  rendered = collector.render()
  collector.received(11, 2, answer(4))
  await settle()
  timers.advance(workerAnswerMs)
  const text = await rendered
  t.match(text, /^handshakes_total\{result="welcome"\} 7$/m)
  t.match(text, /^sessions 4$/m)
  t.match(text, /^countersign_workers_unanswered 1$/m)

  collector.received(12, 2, answer(30))
  rendered = collector.render()
  t.equal(asked.length, 6, 'the late answer ends no later round')
  collector.received(11, 3, answer(4))
  collector.received(12, 3, answer(30))
  t.match(await rendered, /^handshakes_total\{result="welcome"\} 34$/m)
})

t.test('counters of workers that have ended stay', async t => {
  const { collector, timers, pids } = createCollector([11, 12])
  let rendered = collector.render()
  collector.received(11, 1, answer(2))
  collector.received(12, 1, answer(3))
  await rendered
  collector.ended(12)
  pids.splice(1, 1, 13)
  timers.advance(workerAnswerMs)
  rendered = collector.render()
  collector.received(13, 2, answer(1))
  collector.ended(11)
  const text = await rendered
  t.match(text, /^handshakes_total\{result="welcome"\} 6$/m, 'one that ends during a round is not waited for')
  t.match(text, /^sessions 1$/m)
})

t.test('bug: counters that cannot be added ended all metrics', async t => {
  const { collector, pids, errors } = createCollector([11, 12])
  collector.received(
    12,
    0,
    answer(1).map(metric => ({ ...metric, aggregator: 'none' as 'sum' }))
  )
  pids.pop()
  collector.ended(12)
  const rendered = collector.render()
  collector.received(11, 1, answer(2))
  t.match(await rendered, /^handshakes_total\{result="welcome"\} 2$/m)
  t.equal(errors.length, 1)
})

t.test('scrapes within a second share a round', async t => {
  const { collector, timers, asked } = createCollector([11])
  const first = collector.render()
  t.equal(collector.render(), first)
  collector.received(11, 1, answer(1))
  await first
  t.equal(collector.render(), first)
  timers.advance(workerAnswerMs)
  void collector.render()
  t.equal(asked.length, 2)
})

t.test('a worker asks its primary once for all waiters, with a timeout', async t => {
  let asked = 0
  const metrics = new SharedMetrics(() => void asked++, 20)
  const [a, b] = [metrics.render(), metrics.render()]
  t.equal(asked, 1)
  metrics.rendered('text')
  t.same(await Promise.all([a, b]), ['text', 'text'])
  await t.rejects(metrics.render(), /the primary process did not answer/)
  t.equal(asked, 2)
  const again = metrics.render()
  metrics.rendered('again')
  t.equal(await again, 'again')
})
