import { Agent, get } from 'node:http'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { until } from '../../helper/until.js'
import { connectWire } from '../../helper/wire.js'
import { startWorkers } from './helper.js'

/** The metrics of a gateway with several workers. */

/** On a connection of its own. */
function scrape(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(`${url}/metrics`, { agent: new Agent() }, response => resolve(text(response)))
    request.once('error', reject)
    request.setTimeout(20_000, () => request.destroy(new Error('no answer')))
  })
}

function seriesOf(metrics: string, series: string): number {
  const [line = ''] = metrics.split('\n').filter(each => each.startsWith(`${series} `))
  return Number(line.slice(series.length + 1))
}

t.test('any worker answers with the metrics of all', { timeout: 120_000 }, async t => {
  const { gateway, wsUrl, admin, replace, pids } = await startWorkers(t, 3)
  const { body: credential } = await admin('POST', '/clients', { clientId: 'game' })
  for (let i = 0; i < 6; i++) {
    const wire = await connectWire(t, wsUrl)
    wire.authenticate(credential)
    await wire.next('welcome')
  }
  const welcomes = 'countersign_handshakes_total{result="welcome"}'
  let metrics = ''
  // Answers are up to two seconds old.
  await until('all handshakes are counted', async () => {
    metrics = await scrape(gateway.url)
    return seriesOf(metrics, welcomes) === 6
  })
  t.equal(seriesOf(metrics, 'countersign_sessions'), 6)
  t.equal(seriesOf(metrics, 'countersign_bound_limit{bound="sessions"}'), 300_000, 'each worker is an instance')
  const bodyMib = seriesOf(metrics, 'countersign_pending_body_limit_bytes') / 1024 / 1024
  t.equal(Math.round(bodyMib), 64, 'but they share the memory for bodies')
  t.equal(seriesOf(metrics, 'countersign_workers'), 3)
  t.equal(seriesOf(metrics, 'countersign_workers_configured'), 3)
  t.equal(seriesOf(metrics, 'countersign_workers_unanswered'), 0)

  await replace(2)
  await until('the new worker counts', async () => {
    metrics = await scrape(gateway.url)
    return (
      seriesOf(metrics, 'countersign_workers_replaced_total') === 1 && seriesOf(metrics, 'countersign_workers') === 3
    )
  })
  t.equal(seriesOf(metrics, welcomes), 6, 'counters do not decrease')
  t.equal(seriesOf(metrics, 'countersign_sessions'), 4, 'gauges are those of now')

  const stopped = pids().get(1) ?? 0
  process.kill(stopped, 'SIGSTOP')
  t.teardown(() => process.kill(stopped, 'SIGCONT'))
  await until('a scrape without it', async () => {
    // The stopped worker gets one connection at most.
    metrics = await Promise.any([scrape(gateway.url), scrape(gateway.url)])
    return seriesOf(metrics, 'countersign_workers_unanswered') === 1
  })
  t.equal(seriesOf(metrics, welcomes), 6)
  t.equal(seriesOf(metrics, 'countersign_sessions'), 2)
  process.kill(stopped, 'SIGCONT')
})
