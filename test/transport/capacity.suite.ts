import type { Test } from 'tap'
import type { Store } from '../../src/store/store.js'
import { connectBridge } from '../helper/bridge-wire.js'
import { createClock } from '../helper/clock.js'
import { until } from '../helper/until.js'
import { connectWire, type Wire } from '../helper/wire.js'
import type { TransportHarness } from './harness.js'

/** The sessions of one instance, of all transports together (COUNTERSIGN_MAX_SESSIONS). */
export function capacitySuite(t: Test, harness: TransportHarness): void {
  const { transport, openStore, onSocket, start, startGateway, refusedUnsigned, slowStore } = harness

  t.test('bug: each transport had a separate bound of sessions', async t => {
    const gateway = await start(t, { config: { maxSessions: 2 } })
    const credential = await gateway.createClient()
    const late = await gateway.wire()
    await gateway.session(credential)
    const other = transport === 'ws' ? await connectBridge(gateway.url) : await connectWire(t, gateway.wsUrl)
    other.authenticate(credential)
    await other.next('welcome')
    late.authenticate(credential)
    await refusedUnsigned(t, late, 'UNAVAILABLE')
    await t.rejects(gateway.wire(), 'no further handshake begins')
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
    t.match(metrics, /countersign_bound_used\{bound="sessions"\} 2/)
    t.match(metrics, /countersign_bound_limit\{bound="sessions"\} 2/)
    t.match(await other.ask({ type: 'bye' }), { type: 'ack' })
    await until('its place is free', async () => {
      await gateway.app.tick()
      return gateway.wire().then(
        () => true,
        () => false
      )
    })
  })

  t.test('bug: handshakes in flight passed the session bound', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const { crowded, gate } = crowdedStore(store)
    const gateway = await startGateway(t, { store: crowded, clock, config: { maxSessions: 2 } })
    const credential = await gateway.createClient()
    const wires = await Promise.all(Array.from({ length: 5 }, () => gateway.wire()))
    let answered = 0
    const answers = wires.map(async wire => {
      wire.authenticate(credential)
      const text = await wire.nextText()
      answered++
      return text
    })
    await until('each is being opened or answered', () => gate.waiting + answered === wires.length)
    t.equal(gate.waiting, 2)
    gate.open()
    const types = (await Promise.all(answers)).map(text => JSON.parse(text).code ?? JSON.parse(text).type)
    t.same(types.sort(), ['UNAVAILABLE', 'UNAVAILABLE', 'UNAVAILABLE', 'welcome', 'welcome'])
    t.equal(await store.sessions.count(), 2)
  })

  t.test('a handshake that is refused or fails gives its place back', async t => {
    const clock = createClock()
    const { slow, gate } = await slowStore(t, clock)
    const config = { maxSessions: 2, maxSessionsPerClient: 1, rateLimit: true }
    const gateway = await startGateway(t, { store: slow, clock, config })
    const [one, two] = [await gateway.createClient(), await gateway.createClient()]
    const authenticate = async (credential: typeof one): Promise<Wire> => {
      const wire = await gateway.wire()
      wire.authenticate(credential)
      return wire
    }
    gate.failing = true
    for (let i = 0; i < 3; i++) await refusedUnsigned(t, await authenticate(one), 'UNAVAILABLE')
    gate.failing = false
    await (await authenticate(one)).next('welcome')
    for (let i = 0; i < 3; i++) await refusedUnsigned(t, await authenticate(one), 'RATE_LIMITED')
    await (await authenticate(two)).next('welcome')
    await t.rejects(gateway.wire(), 'two are the most')
  })

  onSocket('a connection that closes during its handshake gives its place back', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const { crowded, gate } = crowdedStore(store)
    const gateway = await startGateway(t, { store: crowded, clock, config: { maxSessions: 1 } })
    const credential = await gateway.createClient()
    const lost = await gateway.wire()
    lost.authenticate(credential)
    await until('it is being opened', () => gate.waiting === 1)
    lost.socket.terminate()
    gate.open()
    await until('its place is free', () =>
      gateway.session(credential).then(
        () => true,
        () => false
      )
    )
  })
}

/** A store in which the openings of sessions wait until the gate opens. */
function crowdedStore(store: Store) {
  const gate = { waiting: 0, open() {} }
  const opened = new Promise<void>(resolve => Object.assign(gate, { open: resolve }))
  const open: Store['sessions']['open'] = async (...all) => {
    gate.waiting++
    await opened
    return store.sessions.open(...all)
  }
  return { gate, crowded: { ...store, sessions: { ...store.sessions, open } } }
}
