import t from 'tap'
import { InstanceHeartbeat } from '../../src/cluster/instance-heartbeat.js'
import { createBoundedLog } from '../../src/log/bounded-log.js'
import { SessionCounter } from '../../src/session/session-counts.js'
import type { Heartbeat } from '../../src/session/session-source.js'
import { StoreUnavailable } from '../../src/store/errors.js'
import { createClock } from '../helper/clock.js'

function start() {
  const clock = createClock(0)
  const calls: string[] = []
  const warnings: string[] = []
  const log = { info() {}, warn: (_fields: object, message: string) => void warnings.push(message) }
  const state = { isAway: false, isFull: false }
  const counter = new SessionCounter()
  const heartbeat = new InstanceHeartbeat({
    now: clock.now,
    log,
    boundedLog: createBoundedLog(log, clock.now, clock.now),
    sessions: {
      async touch(heartbeats: readonly Heartbeat[]) {
        if (state.isAway) throw new StoreUnavailable()
        calls.push(`touch ${heartbeats.map(({ sessionId }) => sessionId).join()}`)
      }
    },
    registry: {
      heartbeatsSince: since => [{ sessionId: `since ${since}`, deadline: 1, counts: counter.consume(), counter }],
      async reregister() {
        calls.push('reregister')
        if (state.isFull) throw new StoreUnavailable()
      }
    }
  })
  return { clock, calls, warnings, state, heartbeat, counter }
}

t.test('writes the heartbeats since the previous write in one call', async t => {
  const { clock, calls, heartbeat } = start()
  clock.advance(1000)
  await heartbeat.write()
  clock.advance(1000)
  await heartbeat.write()
  t.same(calls, ['touch since 0', 'touch since 1000'])
})

t.test('registers all sessions again after an outage, with the heartbeats that it missed', async t => {
  const { clock, calls, warnings, state, heartbeat } = start()
  clock.advance(1000)
  await heartbeat.write()
  state.isAway = true
  clock.advance(1000)
  await heartbeat.write()
  clock.advance(1000)
  await heartbeat.write()
  t.equal(warnings.length, 1, 'one line for an outage')
  state.isAway = false
  await heartbeat.write()
  await heartbeat.write()
  t.same(calls, ['touch since 0', 'touch since 1000', 'reregister', 'touch since 3000'])
})

t.test('counts that could not be written are written with the next heartbeat', async t => {
  const { clock, calls, state, heartbeat, counter } = start()
  counter.received(10)
  state.isAway = true
  clock.advance(1000)
  await heartbeat.write()
  t.ok(counter.isPending)
  state.isAway = false
  await heartbeat.write()
  t.notOk(counter.isPending)
  t.equal(calls.length, 2)
})

t.test('bug: counts were written again and again while sessions could not be registered', async t => {
  const { clock, calls, state, heartbeat, counter } = start()
  counter.received(10)
  state.isFull = true
  heartbeat.requestReregistration()
  clock.advance(1000)
  await heartbeat.write()
  t.notOk(counter.isPending, 'they are in the store')
  clock.advance(1000)
  state.isFull = false
  await heartbeat.write()
  t.same(calls, ['touch since 0', 'reregister', 'touch since 1000', 'reregister'])
})

t.test('registers all sessions again on request, once', async t => {
  const { calls, heartbeat } = start()
  heartbeat.requestReregistration()
  await heartbeat.write()
  await heartbeat.write()
  t.same(calls, ['touch since 0', 'reregister', 'touch since 0'])
})
