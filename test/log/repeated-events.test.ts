import t from 'tap'
import { createRepeatedEvents, loggedPerMinute, maxReasons, otherReason } from '../../src/log/repeated-events.js'
import { createClock } from '../helper/clock.js'

function start() {
  const clock = createClock()
  const lines: string[] = []
  const events = createRepeatedEvents(clock.now, (reason, suppressed) => lines.push(`${reason}: ${suppressed} more`))
  const record = (reason: string, times: number) => {
    for (let i = 0; i < times; i++) events.record(reason, () => lines.push(reason))
  }
  return { clock, lines, events, record }
}

t.test('logs the first events of each reason in a minute, then their number', async t => {
  const { clock, lines, events, record } = start()
  record('a', loggedPerMinute + 5)
  record('b', 1)
  t.equal(lines.filter(line => line === 'a').length, loggedPerMinute)
  clock.advance(59_999)
  events.tick()
  record('a', 1)
  t.equal(lines.length, loggedPerMinute + 1)
  clock.advance(1)
  events.tick()
  events.tick()
  t.same(lines.slice(-1), ['a: 6 more'], 'once, and not for a reason without suppressed events')
  record('a', 1)
  t.same(lines.slice(-1), ['a'], 'a new minute')
})

t.test('reports an ended minute before the first event of the next', async t => {
  const { clock, lines, record } = start()
  record('a', loggedPerMinute + 1)
  clock.advance(60_000)
  record('a', 1)
  t.same(lines.slice(-2), ['a: 1 more', 'a'])
})

t.test('counts reasons above the bound together', async t => {
  const { clock, lines, events, record } = start()
  for (let i = 0; i < maxReasons + 100; i++) record(`reason ${i}`, 1)
  clock.advance(60_000)
  events.tick()
  t.same(lines.slice(-1), [`${otherReason}: ${100 - loggedPerMinute} more`])
})
