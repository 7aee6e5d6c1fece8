import t from 'tap'
import { Timekeeper } from '../../src/cluster/timekeeper.js'
import { SteadyClock } from '../../src/steady-clock.js'
import { StoreUnavailable } from '../../src/store/errors.js'
import { createClock } from '../helper/clock.js'

function start(time?: () => Promise<number>) {
  const [monotonic, wall] = [createClock(0), createClock(1_000_000)]
  const state = { pauses: 0, lines: [] as string[] }
  const keeper = new Timekeeper({
    store: time === undefined ? {} : { time },
    now: wall.now,
    clock: new SteadyClock(monotonic.now, wall.now()),
    monotonicNow: monotonic.now,
    log: { warn: (_fields, text) => void state.lines.push(text), debug() {} },
    onPause: () => void state.pauses++
  })
  return { monotonic, wall, keeper, state }
}

t.test('instances with different wall clocks follow the time of their store', async t => {
  const storeTime = 5_000_000
  const [a, b] = [start(async () => storeTime), start(async () => storeTime)]
  b.wall.advance(600_000)
  for (const { keeper } of [a, b]) await keeper.synchronize()
  t.equal(a.keeper.steadyNow(), storeTime)
  t.equal(b.keeper.steadyNow(), storeTime)
  b.wall.advance(3_600_000)
  await b.keeper.synchronize()
  t.equal(b.keeper.steadyNow(), storeTime, 'a step of its wall clock changes nothing')
})

t.test('a single instance follows its wall clock', async t => {
  const { keeper, wall, monotonic } = start()
  await keeper.synchronize()
  wall.advance(60_000)
  await keeper.synchronize()
  monotonic.advance(1000)
  t.same(keeper.times(), { now: 1_060_000, steadyNow: 1_001_050, isGracePeriod: false })
})

t.test('the clock runs on while the store does not answer, or answers too slowly', async t => {
  const state = { fails: false }
  const { keeper, monotonic } = start(async () => {
    if (state.fails) throw new StoreUnavailable()
    monotonic.advance(state.fails ? 0 : 600)
    return 9_000_000
  })
  await keeper.synchronize()
  t.equal(keeper.steadyNow(), 1_000_600, 'a reading that took 600 ms is not used')
  state.fails = true
  await t.resolves(keeper.synchronize())
  monotonic.advance(1000)
  t.equal(keeper.steadyNow(), 1_001_600)
})

t.test('a pause of the process is logged in one line', async t => {
  const { keeper, monotonic, state } = start()
  keeper.beat()
  monotonic.advance(7200)
  keeper.beat()
  monotonic.advance(1000)
  keeper.beat()
  t.same(state, { pauses: 1, lines: ['this process was paused for 6.2 s'] })
})
