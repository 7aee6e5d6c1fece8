import t from 'tap'
import { createOutages, type Outage, quietMs } from '../../src/log/outages.js'
import { createClock } from '../helper/clock.js'

function start() {
  const clock = createClock()
  const begun: string[] = []
  const ended: Outage[] = []
  const outages = createOutages(
    clock.now,
    reason => begun.push(reason),
    outage => ended.push(outage)
  )
  const refused = Object.assign(new Error(''), { code: 'ECONNREFUSED' })
  return { clock, begun, ended, outages, refused }
}

t.test('an outage is one report when it begins and one when it ends, with counts', async t => {
  const { clock, begun, ended, outages, refused } = start()
  outages.tick()
  outages.failed(new Error('closed'))
  for (let i = 0; i < 100; i++) {
    clock.advance(600)
    outages.failed(refused)
    outages.tick()
  }
  t.same([begun, ended], [['closed'], []])
  clock.advance(quietMs - 1)
  outages.tick()
  t.same(ended, [])
  clock.advance(1)
  outages.tick()
  outages.tick()
  t.same(ended, [{ failures: 101, reasons: { closed: 1, ECONNREFUSED: 100 }, lastedMs: 60_000 }])
  outages.failed(refused)
  t.same(begun, ['closed', 'ECONNREFUSED'], 'the next outage')
})

t.test('more reasons than the bound share one count', async t => {
  const { clock, ended, outages } = start()
  for (let i = 0; i < 20; i++) outages.failed(new Error(`reason ${i}`))
  clock.advance(quietMs)
  outages.tick()
  t.equal(Object.keys(ended[0]?.reasons ?? {}).length, 9)
  t.equal(ended[0]?.reasons['other'], 12)
})

t.test('counts failures by kind', async t => {
  const { clock, ended, outages } = start()
  for (const work of ['frames', 'frames', 'handshakes']) outages.failed(new Error('no connection'), work)
  clock.advance(quietMs)
  outages.tick()
  t.match(ended, [{ failures: 3, refused: { frames: 2, handshakes: 1 } }])
})
