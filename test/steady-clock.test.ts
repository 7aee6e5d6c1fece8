import t from 'tap'
import { maxSlew, oncePerTurn, SteadyClock } from '../src/steady-clock.js'
import { createClock } from './helper/clock.js'

function start(startAt = 1_000_000) {
  const monotonic = createClock(500)
  return { monotonic, clock: new SteadyClock(monotonic.now, startAt) }
}

t.test('runs with the monotonic clock', async t => {
  const { monotonic, clock } = start()
  t.equal(clock.now(), 1_000_000)
  monotonic.advance(1500)
  t.equal(clock.now(), 1_001_500)
})

t.test('takes over the first reference, and approaches later ones by at most 5 %', async t => {
  const { monotonic, clock } = start()
  clock.observe(2_000_000)
  t.equal(clock.now(), 2_000_000)
  for (const stepMs of [60_000, -3_600_000, 86_400_000]) {
    const before = clock.now()
    clock.observe(before + stepMs)
    t.equal(clock.now(), before, 'a step changes nothing at once')
    for (let i = 0; i < 450; i++) {
      monotonic.advance(100)
      clock.now()
    }
    const elapsed = clock.now() - before
    t.ok(Math.abs(elapsed - 45_000 - Math.sign(stepMs) * 45_000 * maxSlew) < 10, `45 s became ${elapsed} ms`)
  }
})

t.test('converges with its reference, and two instances with each other', async t => {
  const [a, b] = [start(1_000_000), start(1_000_000)]
  let reference = 1_000_000
  for (const { clock } of [a, b]) clock.observe(reference)
  b.clock.observe(reference + 30_000) // an instance whose reading was wrong
  for (let second = 0; second < 1300; second++) {
    reference += 1000
    for (const { monotonic, clock } of [a, b]) {
      monotonic.advance(1000)
      clock.observe(reference)
    }
  }
  t.ok(Math.abs(a.clock.now() - reference) <= 1)
  t.ok(Math.abs(b.clock.now() - reference) <= 1)
})

t.test('never goes back, and shows whole milliseconds', async t => {
  const { monotonic, clock } = start()
  clock.observe(1_000_000)
  let previous = clock.now()
  for (let i = 0; i < 1000; i++) {
    monotonic.advance(i % 7 === 0 ? 0 : 0.3)
    clock.observe(1_000_000 + (i % 2 === 0 ? -1 : 1) * 50_000)
    const at = clock.now()
    t.ok(at >= previous && Number.isInteger(at))
    previous = at
  }
})

t.test('is read once a turn', async t => {
  const clock = createClock(1000)
  let end = () => {}
  const now = oncePerTurn(clock.now, callback => {
    end = callback
  })
  t.equal(now(), 1000)
  clock.advance(5)
  t.equal(now(), 1000)
  end()
  t.equal(now(), 1005)
})
