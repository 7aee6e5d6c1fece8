import t, { type Test } from 'tap'
import { type Gateway, startGateway } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'
import { upgrade } from './upgrade.js'

/** Stopping an instance (PROTOCOL §5.4, §8). */

t.test('notifies every session of a stop, and does not wait for silent ones', async t => {
  const stop = async (t: Test, gateway: Gateway) => {
    const credential = await gateway.createClient()
    const wire = await gateway.session(credential)
    const silent = await gateway.session(credential)
    silent.socket.pause()
    const waiting = await gateway.wire()
    const began = performance.now()
    const stopped = gateway.app.stop()
    t.match(await wire.next('error'), { code: 'DRAINING' })
    t.same(await wire.closed(), { code: 4512, reason: 'DRAINING' })
    t.match(JSON.parse(await waiting.nextText()), { code: 'DRAINING' })
    await stopped
    t.ok(performance.now() - began < 20_000, 'seconds')
  }
  await t.test('embedded', async t => stop(t, await startGateway(t)))
  await t.test('bug: alone on a Redis it waited for the whole drain time', async t => {
    const { store } = await stores.redis(t, Date.now)
    await stop(t, await startGateway(t, { store, config: { drainMs: 60_000 } }))
  })
  await t.test('redis', async t => {
    const { store, another } = await stores.redis(t, Date.now)
    await startGateway(t, { store: await another() })
    const gateway = await startGateway(t, { store, config: { drainMs: 60_000 } })
    const wire = await gateway.session(await gateway.createClient())
    const stopped = gateway.app.stop()
    const { afterMs } = await wire.next('reconnect')
    t.ok(Number(afterMs) >= 0 && Number(afterMs) <= 30_000)
    t.equal((await fetch(`${gateway.url}/readyz`)).status, 503, 'not ready while it drains')
    t.equal((await fetch(`${gateway.url}/livez`)).status, 200)
    t.match(await upgrade(gateway), { status: 503, body: { code: 'DRAINING' } })
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'it still answers')
    await wire.ask({ type: 'bye' })
    await stopped
    t.pass('stops as soon as all sessions have moved')
  })
})
