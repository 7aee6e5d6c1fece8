import { once } from 'node:events'
import t from 'tap'
import { type Store, StoreUnavailable } from '../../src/store/store.js'
import { startGateway } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'
import { until } from '../helper/until.js'

/** The end of a session by bye (PROTOCOL §7.1). */

t.test('bug: acknowledges bye only after its slot and its session are released', async t => {
  const { store } = await stores.embedded(t, Date.now)
  const gate = { waits: false, open: () => {} }
  const licenseSlots: Store['licenseSlots'] = {
    ...store.licenseSlots,
    async releaseAll(sessionId) {
      await new Promise<void>(open => Object.assign(gate, { waits: true, open }))
      await store.licenseSlots.releaseAll(sessionId)
    }
  }
  const gateway = await startGateway(t, { store: { ...store, licenseSlots } })
  await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key', maxSessions: 1 })
  const wire = await gateway.session(await gateway.createClient())
  const { licenseId } = await wire.ask({ type: 'validate', serviceId: 'svc', hwid: 'h', key: 'key' })
  let acked = false
  wire.send({ type: 'bye' })
  const ack = wire.next('ack').then(() => {
    acked = true
  })
  await until('the slot is being released', () => gate.waits)
  // The pong arrives after everything that was written before it.
  wire.socket.ping()
  await once(wire.socket, 'pong')
  t.equal(acked, false)
  gate.open()
  await ack
  const outcome = await store.licenseSlots.acquire(String(licenseId), 'another', 1, Date.now() + 1000, Date.now())
  t.equal(outcome, 'acquired')
  t.equal(await store.sessions.count(), 0)
})

t.test('bug: a client that sends bye and closes without waiting counts as a clean close', async t => {
  const { store } = await stores.embedded(t, Date.now)
  let open = () => {}
  const gate = new Promise<void>(resolve => {
    open = resolve
  })
  const end: Store['sessions']['end'] = id => gate.then(() => store.sessions.end(id))
  const gateway = await startGateway(t, { store: { ...store, sessions: { ...store.sessions, end } } })
  const wire = await gateway.session(await gateway.createClient())
  wire.send({ type: 'bye' })
  wire.socket.close(1000)
  await wire.closed()
  await until('it has ended', () => gateway.app.sessionCount() === 0)
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
  t.match(metrics, /sessions_ended_total\{transport="ws",code="bye"\} 1/)
  open()
})

t.test('acknowledges bye while the store is unavailable', async t => {
  const { store } = await stores.embedded(t, Date.now)
  const end = () => Promise.reject(new StoreUnavailable())
  const gateway = await startGateway(t, { store: { ...store, sessions: { ...store.sessions, end } } })
  const wire = await gateway.session(await gateway.createClient())
  t.match(await wire.ask({ type: 'bye' }), { type: 'ack' })
  t.equal((await wire.closed()).code, 1000)
  t.equal(gateway.app.sessionCount(), 0)
})
