import t from 'tap'
import { createEmbeddedRateLimits, maxRateLimitNames } from '../../src/store/embedded/ephemeral.js'
import { createEmbeddedTickets, maxLiveTickets } from '../../src/store/embedded/tickets.js'
import { createClock } from '../helper/clock.js'

/** Bounds of the embedded store. */

t.test('keeps rate limits for a limited number of names, and drops idle ones first', async t => {
  const clock = createClock()
  const limits = createEmbeddedRateLimits(clock.now)
  t.equal(await limits.consume('resting', 1, 60), 0)
  clock.advance(1000)
  for (let i = 0; i < maxRateLimitNames - 1; i++) await limits.consume(`n${i}`, 1, 1)
  t.ok((await limits.consume('n0', 1, 1)) > 0)
  t.equal(await limits.consume('one more', 1, 1), 0)
  t.ok((await limits.consume('n0', 1, 1)) > 0, 'an exhausted name stays limited')
  await limits.consume('and another', 1, 1)
  t.equal(await limits.consume('n0', 1, 1), 0, 'until there are too many names')
})

t.test('limits the number of live tickets; expired ones free capacity', async t => {
  const clock = createClock()
  const tickets = createEmbeddedTickets(clock.now, Number.POSITIVE_INFINITY)
  for (let i = 0; i < maxLiveTickets; i++) await tickets.put(`t${i}`, '', 1000, 'a')
  await t.rejects(tickets.put('one more', '', 1000, 'a'), { name: 'StoreUnavailable' })
  t.equal(await tickets.get('t0'), '')
  clock.advance(1000)
  await tickets.put('one more', 'text', 1000, 'a')
  t.equal(await tickets.get('one more'), 'text')
})
