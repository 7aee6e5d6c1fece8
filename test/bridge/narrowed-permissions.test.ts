import t from 'tap'
import { connectBridge } from '../helper/bridge-wire.js'
import { createClock } from '../helper/clock.js'
import { type Gateway, startGateway } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'
import { until } from '../helper/until.js'
import type { Message } from '../helper/wire.js'

/** A client loses the permission to subscribe to some channels while its session lives (PROTOCOL §10). */

/** The order of channels is open: a hash of Redis has none. */
const byChannel = (frames: readonly Message[]) =>
  [...frames].sort((a, b) => (String(a['channel']) < String(b['channel']) ? -1 : 1))

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`permissions that become narrower, ${kind}`, async t => {
    async function start(t: import('tap').Test) {
      const clock = createClock()
      const { store, another } = await openStore(t, clock.now)
      const options = { clock, config: { lingerMs: 0 } }
      const gateway = await startGateway(t, { ...options, store })
      const startAnother = async () => {
        const second = await another()
        return second === store ? gateway : startGateway(t, { ...options, store: second })
      }
      const credential = await gateway.createClient({ subscribe: ['*'], publish: ['*'] })
      const wire = await connectBridge(gateway.url)
      wire.authenticate(credential)
      await wire.next('welcome')
      for (const channel of ['kept', 'lost:1', 'lost:2']) await wire.ask({ type: 'subscribe', channel })
      const narrow = (by: Gateway) => by.admin('PATCH', `/clients/${credential.clientId}`, { subscribe: ['kept'] })
      return { store, gateway, startAnother, wire, narrow }
    }

    t.test('wakes the held poll with `unsubscribed` for each lost channel; the session continues', async t => {
      const { store, gateway, startAnother, wire, narrow } = await start(t)
      const other = await startAnother()
      const held = wire.exchange([], { wait: 25 })
      await until('the poll is held', async () => gateway.app.heldPolls() === 1)
      await narrow(other)
      const { frames, polled } = await held
      t.match(byChannel(frames.slice(0, -1)), [
        { type: 'unsubscribed', channel: 'lost:1', code: 'PERMISSION_DENIED' },
        { type: 'unsubscribed', channel: 'lost:2', code: 'PERMISSION_DENIED' }
      ])
      t.match(polled, { superseded: false })

      await gateway.publish({ channel: 'lost:1', data: 'secret' })
      await gateway.publish({ channel: 'kept', data: 'hello' })
      t.match((await wire.exchange([])).frames, [{ type: 'publication', channel: 'kept' }, { type: 'polled' }])
      const state = await store.bridge.read(wire.sessionId, 1)
      t.same(
        [...(state?.positions.keys() ?? [])].filter(channel => channel.startsWith('lost')),
        []
      )
    })

    t.test('applies on an instance that loads the session later, without a second `unsubscribed`', async t => {
      const { gateway, startAnother, wire, narrow } = await start(t)
      await narrow(gateway)
      await until('both channels are left', async () => {
        const { frames } = await wire.exchange([], { ack: 1 })
        return frames.filter(({ type }) => type === 'unsubscribed').length === 2
      })
      const later = await startAnother()
      const subscribe = wire.sign({ type: 'subscribe', seq: wire.seq++, channel: 'lost:1' })
      const { frames } = await wire.exchange([subscribe], { url: later.url })
      t.match(frames, [{ type: 'error', code: 'PERMISSION_DENIED' }, { type: 'polled' }])
    })

    t.test('leaves the channels when the first instance to notice is one that loads the session', async t => {
      const { gateway, startAnother, wire, narrow } = await start(t)
      const later = await startAnother()
      if (later === gateway) {
        t.pass('one process has no other instance')
        return
      }
      await gateway.app.server.close()
      await narrow(later)
      const { frames } = await wire.exchange([], { url: later.url })
      t.match(byChannel(frames.slice(0, -1)), [
        { type: 'unsubscribed', channel: 'lost:1', code: 'PERMISSION_DENIED' },
        { type: 'unsubscribed', channel: 'lost:2', code: 'PERMISSION_DENIED' }
      ])
      t.equal(frames.at(-1)?.type, 'polled')
    })
  })
}
