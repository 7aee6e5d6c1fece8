import t from 'tap'
import { maxGraceMs, PauseDetector, pauseMs } from '../../src/cluster/pause-detector.js'
import { createClock } from '../helper/clock.js'

function start() {
  const clock = createClock(0)
  const pauses: number[] = []
  const detector = new PauseDetector({ monotonicNow: clock.now, onPause: ms => void pauses.push(ms) })
  const beat = (ms: number) => {
    clock.advance(ms)
    detector.beat()
  }
  detector.beat()
  return { clock, pauses, detector, beat }
}

t.test('timely beats do not count as a pause', async t => {
  const { detector, beat, pauses } = start()
  for (const ms of [1000, 900, 2000, pauseMs]) {
    beat(ms)
    t.equal(detector.isGracePeriod(), false)
  }
  t.same(pauses, [])
})

t.test('after a pause peers get as long as it lasted, and a moment', async t => {
  const { clock, detector, beat, pauses } = start()
  clock.advance(7200)
  t.equal(detector.isGracePeriod(), true, 'before any beat has noticed it')
  detector.beat()
  t.same(pauses, [6200])
  for (let ms = 0; ms < 8000; ms += 1000) {
    t.equal(detector.isGracePeriod(), true)
    beat(1000)
  }
  beat(200)
  t.equal(detector.isGracePeriod(), false)
  t.equal(pauses.length, 1)
})

t.test('the grace is bounded', async t => {
  const { detector, beat } = start()
  beat(3_600_000)
  for (let ms = 0; ms < maxGraceMs + 1000; ms += 1000) {
    t.equal(detector.isGracePeriod(), true)
    beat(1000)
  }
  t.equal(detector.isGracePeriod(), false)
})
