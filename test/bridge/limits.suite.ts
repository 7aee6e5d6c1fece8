import type { Test } from 'tap'
import { type Store, StoreUnavailable } from '../../src/store/store.js'
import { connectBridge } from '../helper/bridge-wire.js'
import { createClock } from '../helper/clock.js'
import { startGateway } from '../helper/gateway.js'
import type { OpenStoreForTest } from '../helper/stores.js'
import { frame, open, permissions, publish, startTwo, stuckStore } from './harness.js'

/** Limits and refusals (PROTOCOL §9.3, §9.4, §11). */
export function limitSuite(t: Test, openStore: OpenStoreForTest): void {
  t.test('refuses a fifth concurrent exchange, signed', async t => {
    const gate = { open: () => {}, calls: 0 }
    const two = await startTwo(t, openStore, {}, stuckStore(gate))
    const wire = await open(two)
    const slow = frame(wire, { type: 'publish', channel: 'stuck', data: 1 })
    const answers = Array.from({ length: 5 }, () => wire.exchange([slow]))
    const refused = await Promise.race(answers)
    t.match(refused.frames, [{ type: 'error', code: 'RATE_LIMITED', retryAfterMs: 1000 }])
    t.equal(refused.headers.get('retry-after'), '1')
    gate.open()
    const statuses = (await Promise.all(answers)).map(({ status }) => status)
    t.same(statuses.sort(), [200, 200, 200, 200, 429])
  })

  t.test('refuses too many frames of one session, signed, and runs none of them', async t => {
    const two = await startTwo(t, openStore, { config: { rateLimit: true, framesPerSecond: 2 } })
    const wire = await open(two)
    const lines = [1, 2, 3].map(() => frame(wire, { type: 'heartbeat' }))
    t.equal((await wire.exchange(lines)).status, 200)
    const refused = await wire.post(wire.sign({ type: 'poll', poll: wire.poll, ack: 1, wait: 0 }))
    t.equal(refused.status, 429)
    t.match(refused.frames, [{ type: 'error', code: 'RATE_LIMITED', poll: wire.poll }])
    t.ok(Number(refused.frames[0]?.['retryAfterMs']) > 0)
  })

  t.test('disconnects a client that is further behind than the frames kept for it', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    await wire.ask({ type: 'subscribe', channel: 'c' })
    for (let i = 0; i < 1025; i++) await publish(two.gateway, 'c', i)
    t.match((await wire.exchange([])).frames, [{ type: 'error', code: 'SLOW_CONSUMER' }])
  })

  t.test('disconnects a client that never acknowledges', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    await wire.ask({ type: 'subscribe', channel: 'c' })
    let last = 200
    for (let i = 0; i < 60 && last === 200; i++) {
      for (let k = 0; k < 3; k++) await publish(two.gateway, 'c', 'x'.repeat(30_000))
      last = (await wire.exchange([], { ack: 1 })).status
    }
    t.equal(last, 410)
  })

  t.test('limits unverified requests by address, and serves verified ones from the same address', async t => {
    const two = await startTwo(t, openStore, { config: { rateLimit: true } })
    const wire = await open(two)
    let status = 0
    for (let i = 0; i < 700 && status !== 429; i++) status = (await wire.post('x')).status
    t.equal(status, 429)
    t.match(await two.store.bridge.read(wire.sessionId, 1), { received: 1 }, 'the session is unchanged')
    t.equal((await wire.exchange([])).status, 200)
    Object.assign(wire, { sessionId: 'x'.repeat(32) })
    t.equal((await wire.exchange([])).status, 429, 'a request for an unknown session does not reach the store')
  })

  t.test('bug: serves no session whose permissions could not be read', async t => {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    if (store.kind === 'embedded') {
      t.pass('one process has no other instance')
      return
    }
    const away = { now: false }
    const get: Store['durable']['get'] = key =>
      away.now ? Promise.reject(new StoreUnavailable()) : second.durable.get(key)
    const second = await another()
    const gateway = await startGateway(t, { store, clock })
    const other = await startGateway(t, { store: { ...second, durable: { ...second.durable, get } }, clock })
    const credential = await gateway.createClient(permissions)
    const wire = await open({ gateway }, credential)
    await gateway.app.server.close()
    await other.admin('DELETE', `/clients/${credential.clientId}/keys/${credential.keyId}`)
    away.now = true
    for (let i = 0; i < 2; i++) t.equal((await wire.exchange([], { url: other.url })).status, 503)
    away.now = false
    t.match((await wire.exchange([], { url: other.url })).frames, [{ code: 'SESSION_REVOKED' }])
  })

  t.test('refuses a challenge of the other transport', async t => {
    const { gateway } = await startTwo(t, openStore)
    const credential = await gateway.createClient()
    const [socket, bridge] = [await gateway.wire(), await connectBridge(gateway.url)]
    Object.assign(bridge, { challengeToken: socket.challengeToken })
    bridge.authenticate(credential)
    t.match(JSON.parse(await bridge.nextText()), { code: 'AUTHENTICATION_FAILED' })
    const other = await connectBridge(gateway.url)
    const second = await gateway.wire()
    Object.assign(second, { challengeToken: other.challengeToken })
    second.authenticate(credential)
    t.match(JSON.parse(await second.nextText()), { code: 'AUTHENTICATION_FAILED' })
  })

  t.test('answers 503 while the store is unavailable, signed if it has the keys', async t => {
    const away = { now: false }
    const refuse = () => Promise.reject(new StoreUnavailable())
    const two = await startTwo(t, openStore, {}, store => ({
      ...store,
      bridge: Object.create(store.bridge, {
        exchange: { value: (r: never) => (away.now ? refuse() : store.bridge.exchange(r)) },
        info: { value: (id: string) => (away.now ? refuse() : store.bridge.info(id)) }
      })
    }))
    const wire = await open(two)
    away.now = true
    const signed = await wire.exchange([])
    t.match(
      { status: signed.status, frames: signed.frames },
      { status: 503, frames: [{ code: 'UNAVAILABLE', poll: 1 }] }
    )
    t.match(signed.text, /signature/)
    Object.assign(wire, { sessionId: 'x'.repeat(32) })
    const unsigned = await wire.exchange([])
    t.equal(unsigned.status, 503)
    t.notMatch(unsigned.text, /signature/)
  })
}
