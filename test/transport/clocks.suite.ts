import type { Test } from 'tap'
import { SteadyClock } from '../../src/steady-clock.js'
import { createClock } from '../helper/clock.js'
import type { TransportHarness } from './harness.js'

/** Silence of peers depends neither on the wall clock nor on pauses of the gateway. */
export function clockSuite(t: Test, { openStore, startGateway, endsWith }: TransportHarness): void {
  async function start(t: Test) {
    const [wall, monotonic] = [createClock(), createClock(0)]
    const steadyClock = new SteadyClock(monotonic.now, wall.now())
    const { store } = await openStore(t, steadyClock.now)
    const gateway = await startGateway(t, { store, clock: wall, steadyClock, monotonicNow: monotonic.now })
    const wire = await gateway.session(await gateway.createClient())
    await gateway.app.tick()
    /** Lets time pass, with a tick every 2 s. */
    const pass = async (seconds: number) => {
      for (let passed = 0; passed < seconds; passed += 2) {
        for (const clock of [wall, monotonic]) clock.advance(2000)
        await gateway.app.tick()
      }
    }
    return { wall, monotonic, gateway, wire, pass }
  }

  for (const stepMs of [60_000, 3_600_000, -3_600_000]) {
    t.test(`a step of the wall clock by ${stepMs / 1000} s ends no session, and prolongs none`, async t => {
      const { wall, wire, pass, gateway } = await start(t)
      await pass(40)
      wall.advance(stepMs)
      await gateway.app.tick()
      await pass(2)
      t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
      await pass(40)
      t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
      await pass(50)
      await endsWith(t, wire, 'HEARTBEAT_LOST')
    })
  }

  t.test('bug: a step of the wall clock back stopped all publishing', async t => {
    const { wall, gateway } = await start(t)
    const wire = await gateway.session(await gateway.createClient({ publish: ['*'] }))
    t.match(await wire.ask({ type: 'publish', channel: 'c', data: 1 }), { type: 'published' })
    wall.advance(-600_000)
    t.match(await wire.ask({ type: 'publish', channel: 'c', data: 2 }), { type: 'published' })
  })

  t.test('after a pause of the gateway a session whose timeout was near gets time to be heard', async t => {
    const { wall, monotonic, wire, pass, gateway } = await start(t)
    const silent = await gateway.session(await gateway.createClient())
    await pass(40)
    for (const clock of [wall, monotonic]) clock.advance(10_000)
    await gateway.app.tick()
    await pass(4)
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
    await pass(12)
    await endsWith(t, silent, 'HEARTBEAT_LOST')
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
  })
}
