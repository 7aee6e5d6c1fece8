import type { Test } from 'tap'
import { type Store, StoreUnavailable } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { until } from '../helper/until.js'
import { type TransportHarness, validate } from './harness.js'

/** A store that is away, slow, or fails in the middle of an operation (PROTOCOL §7.3, UNAVAILABLE). */
export function storeFailureSuite(t: Test, harness: TransportHarness): void {
  const { onSocket, openStore, startGateway, refusedUnsigned, pass, slowStore } = harness

  onSocket('answers UNAVAILABLE while the store is away, and keeps the session', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const away = { now: false }
    const orFail = <T>(run: () => Promise<T>): Promise<T> => (away.now ? Promise.reject(new StoreUnavailable()) : run())
    const unreliable: Store = {
      ...store,
      durable: { ...store.durable, get: key => orFail(() => store.durable.get(key)) },
      sessions: { ...store.sessions, touch: beats => orFail(() => store.sessions.touch(beats)) },
      challenges: { ...store.challenges, fence: () => orFail(() => store.challenges.fence()) }
    }
    const gateway = await startGateway(t, { store: unreliable, clock })
    await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
    const wire = await gateway.session(await gateway.createClient())
    away.now = true
    t.match(await wire.ask(validate), { type: 'error', code: 'UNAVAILABLE', retryAfterMs: 1000 })
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'heartbeats need no store')
    await pass(gateway, 1000)
    await store.sessions.end(String((await store.sessions.list('', 1))[0]?.sessionId))
    away.now = false
    await pass(gateway, 1000)
    t.match(await wire.ask(validate), { code: 'VALID' })
    t.equal((await store.sessions.list('', 9)).length, 1, 'a session that the store lost is registered again')
  })

  onSocket('bug: releases the slot of a session that drops during its validate', async t => {
    const clock = createClock()
    const { slow, store, gate } = await slowStore(t, clock)
    const gateway = await startGateway(t, { store: slow, clock })
    const made = await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key', maxSessions: 1 })
    const credential = await gateway.createClient()
    const wire = await gateway.session(credential)
    gate.closed = true
    wire.send(validate)
    await until('the slot is being acquired', () => gate.open.name !== 'open')
    wire.socket.terminate()
    await until('the session is gone', () => gateway.app.sessionCount() === 0)
    gate.closed = false
    gate.open()
    await until('its slot is free', async () => {
      const { licenseId } = made.body
      const outcome = await store.licenseSlots.acquire(licenseId, 'probe', 1, clock.now() + 1000, clock.now())
      return outcome === 'acquired'
    })
  })

  onSocket('bug: a slow store does not turn an authenticate that came in time into PROTOCOL_ERROR', async t => {
    const clock = createClock()
    const { slow, gate } = await slowStore(t, clock)
    const gateway = await startGateway(t, { store: slow, clock })
    const credential = await gateway.createClient()
    const wire = await gateway.wire()
    gate.closed = true
    wire.authenticate(credential)
    await until('the session is being opened', () => gate.open.name !== 'open')
    await pass(gateway, 11_000)
    gate.closed = false
    gate.open()
    t.match(await wire.next('welcome'), { re: 1 })
  })

  t.test('bug: reports a store that fails while a session is opened with an unsigned error, and counts it', async t => {
    const clock = createClock()
    const { slow, gate } = await slowStore(t, clock)
    const gateway = await startGateway(t, { store: slow, clock })
    const credential = await gateway.createClient()
    const wire = await gateway.wire()
    gate.failing = true
    wire.authenticate(credential)
    await refusedUnsigned(t, wire, 'UNAVAILABLE')
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
    t.match(metrics, /handshakes_total\{result="UNAVAILABLE"\} 1/)
    t.notMatch(metrics, /sessions_ended_total\{/)
  })

  t.test('bug: a store that fails between opening and welcome leaves no session behind', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const opened = { yet: false }
    const gateway = await startGateway(t, {
      clock,
      store: {
        ...store,
        durable: {
          ...store.durable,
          get: key => (opened.yet ? Promise.reject(new StoreUnavailable()) : store.durable.get(key))
        },
        sessions: {
          ...store.sessions,
          async open(...all) {
            const kept = await store.sessions.open(...all)
            opened.yet = true
            return kept
          }
        }
      }
    })
    const credential = await gateway.createClient()
    const wire = await gateway.wire()
    wire.authenticate(credential)
    await refusedUnsigned(t, wire, 'UNAVAILABLE')
    t.equal(gateway.app.sessionCount(), 0)
    await until('the store has no session', async () => (await store.sessions.count()) === 0)
  })
}
