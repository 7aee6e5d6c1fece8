import t from 'tap'
import { durationBounds, maxVerbs, StoreDurations } from '../../src/store/durations.js'
import { LagProbe } from '../../src/store/redis/pubsub/lag-probe.js'
import { createClock } from '../helper/clock.js'

t.test('counts the durations of calls, by verb', async t => {
  t.ok(durationBounds.includes(0.25))
  const durations = new StoreDurations()
  for (const ms of [0.5, 1, 250, 251, 9000]) durations.record('get', ms)
  const { counts, sumSeconds } = durations.verbs.get('get') ?? { counts: [], sumSeconds: 0 }
  t.equal(counts[0], 2)
  t.equal(counts[durationBounds.indexOf(0.25)], 1, 'a bound belongs to its bucket')
  t.equal(counts[durationBounds.indexOf(0.5)], 1)
  t.equal(counts[durationBounds.length], 1, 'above all bounds')
  t.ok(Math.abs(sumSeconds - 9.5025) < 1e-9)
  await t.rejects(durations.time('put', Promise.reject(new Error('away'))))
  t.ok(durations.verbs.has('put'), 'failed calls count')
})

t.test('verbs above the bound share one count', async t => {
  const durations = new StoreDurations()
  for (let i = 0; i < maxVerbs + 50; i++) durations.record(`verb ${i}`, 1)
  t.equal(durations.verbs.size, maxVerbs + 1)
  t.equal(durations.verbs.get('other')?.counts[0], 50)
})

t.test('the lag of the subscriber is the time of the last message, or the age of one that is late', async t => {
  const clock = createClock(0)
  let published = 0
  const lag = new LagProbe(clock.now, async () => void published++)
  t.equal(lag.lagMs, 0)
  lag.check()
  clock.advance(30)
  lag.arrived()
  t.equal(lag.lagMs, 30)
  lag.check()
  lag.check()
  t.equal(published, 2, 'one message at a time')
  clock.advance(900)
  t.equal(lag.lagMs, 900)
  lag.arrived(true)
  t.equal(lag.lagMs, 30, 'a lost message proves nothing')
})
