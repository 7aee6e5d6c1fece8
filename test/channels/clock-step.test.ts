import t from 'tap'
import { SteadyClock } from '../../src/steady-clock.js'
import { createClock } from '../helper/clock.js'
import { startGateway } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'

const hourMs = 3_600_000

for (const [kind, openStore] of Object.entries(stores)) {
  for (const stepMs of [hourMs, -hourMs]) {
    t.test(`bug: a step of the wall clock cost the history of a channel, ${kind}, ${stepMs} ms`, async t => {
      const clock = createClock(Date.now())
      const monotonic = { ms: 0 }
      const steadyClock = new SteadyClock(() => monotonic.ms, clock.now())
      const history = { size: 10, lifeMs: 300_000 }
      const { store } = await openStore(t, steadyClock.now, { history })
      const gateway = await startGateway(t, { store, clock, steadyClock })
      await gateway.publish({ channel: 'news', data: 1 })
      const { top } = await store.channels.read('news', undefined, 10)
      clock.advance(stepMs)
      for (let data = 2; data <= 4; data++) {
        monotonic.ms += 1000
        clock.advance(1000)
        await gateway.app.tick()
        await gateway.publish({ channel: 'news', data })
      }
      const { publications } = await store.channels.read('news', { ...top, offset: 0 }, 10)
      t.same(
        publications?.map(({ data }) => data),
        ['1', '2', '3', '4']
      )
    })
  }
}
