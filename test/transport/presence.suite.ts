import type { Test } from 'tap'
import type { BridgeWire } from '../helper/bridge-wire.js'
import { createClock, type FakeClock } from '../helper/clock.js'
import { type Gateway, type GatewayOptions, startGateway } from '../helper/gateway.js'
import type { Wire } from '../helper/wire.js'
import { allPermissions } from './channel-harness.js'
import type { TransportAndStore } from './harness.js'

/** Presence in channels, whatever transport carries the sessions (PROTOCOL §10). */

const timeoutSeconds = 45

export function presenceSuite(t: Test, { transport, openStore }: TransportAndStore): void {
  async function start(t: Test, presence: string[], options: GatewayOptions = {}): Promise<Gateway> {
    const clock: FakeClock = options.clock ?? createClock()
    const store = options.store ?? (await openStore(t, clock.now)).store
    const config = { presence, bridgeTimeoutSeconds: timeoutSeconds, heartbeatTimeoutSeconds: 120, lingerMs: 0 }
    return startGateway(t, { store, transport, clock, config })
  }

  /** The ids of the sessions present, after this instance has reported its own. */
  async function present(gateway: Gateway, channel: string): Promise<string[]> {
    await gateway.app.tick()
    const { status, body } = await gateway.admin('GET', `/channels/${channel}/presence`)
    if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`)
    const ids = body.items.map(({ sessionId }: { sessionId: string }) => sessionId)
    if (body.count !== ids.length) throw new Error(`${body.count} are counted, ${ids.length} are listed`)
    return ids
  }

  async function open(gateway: Gateway, credential: { clientId: string; secret: string }) {
    const wire = await gateway.wire()
    wire.authenticate(credential)
    return { wire, sessionId: String((await wire.next('welcome'))['sessionId']) }
  }

  /** Lets `ms` pass in steps, with a heartbeat of each session in each step. */
  async function live(gateway: Gateway, wires: readonly Wire[], ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 10_000) {
      gateway.clock.advance(10_000)
      for (const wire of wires) await wire.ask({ type: 'heartbeat' })
      await gateway.app.tick()
    }
  }

  t.test('presence: a session is present from its subscribe to its unsubscribe or its end', async t => {
    const gateway = await start(t, ['match:*'])
    const credential = await gateway.createClient(allPermissions)
    const [one, two] = [await open(gateway, credential), await open(gateway, credential)]
    for (const { wire } of [one, two]) await wire.ask({ type: 'subscribe', channel: 'match:1' })
    const both = [one.sessionId, two.sessionId].sort()
    t.same(await present(gateway, 'match:1'), both)
    t.same(await present(gateway, 'match:2'), [])
    await two.wire.ask({ type: 'subscribe', channel: 'match:1' })
    t.same(await present(gateway, 'match:1'), both, 'once, however often it subscribes')
    await one.wire.ask({ type: 'unsubscribe', channel: 'match:1' })
    t.same(await present(gateway, 'match:1'), [two.sessionId])
    await one.wire.ask({ type: 'subscribe', channel: 'match:1' })
    await one.wire.ask({ type: 'unsubscribe', channel: 'match:1' })
    await one.wire.ask({ type: 'subscribe', channel: 'match:1' })
    t.same(await present(gateway, 'match:1'), both, 'the last of several changes counts')
    await one.wire.ask({ type: 'bye' })
    await one.wire.closed()
    t.same(await present(gateway, 'match:1'), [two.sessionId])
    await gateway.admin('DELETE', `/clients/${credential.clientId}`)
    await gateway.app.tick()
    t.same(await present(gateway, 'match:1'), [], 'revoked')
  })

  t.test('presence: a session stays present for longer than an entry lives', async t => {
    const gateway = await start(t, ['match:*'])
    const { wire, sessionId } = await open(gateway, await gateway.createClient(allPermissions))
    await wire.ask({ type: 'subscribe', channel: 'match:1' })
    for (let i = 0; i < 4; i++) {
      await live(gateway, [wire], 50_000)
      t.same(await present(gateway, 'match:1'), [sessionId])
    }
  })

  t.test('presence: the sessions of a killed instance expire by their deadline', async t => {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    const killed = await start(t, ['match:*'], { store, clock })
    const other = await start(t, ['match:*'], { store: await another(), clock })
    const credential = await other.createClient(allPermissions)
    const [lost, stays] = [await open(killed, credential), await open(other, credential)]
    for (const { wire } of [lost, stays]) await wire.ask({ type: 'subscribe', channel: 'match:1' })
    await killed.app.tick()
    t.same(await present(other, 'match:1'), [lost.sessionId, stays.sessionId].sort())
    // From now on the killed instance reports nothing, not even the end of its sessions.
    await live(other, [stays.wire], 30_000)
    t.same(await present(other, 'match:1'), [lost.sessionId, stays.sessionId].sort(), 'the instance may still be alive')
    if (transport === 'bridge') {
      const { wire } = lost
      await (wire as BridgeWire).exchange([], { url: other.url })
      await live(other, [stays.wire], 40_000)
      t.same(
        await present(other, 'match:1'),
        [lost.sessionId, stays.sessionId].sort(),
        'the session continues on the other instance'
      )
    }
    await live(other, [stays.wire], 30_000)
    t.same(await present(other, 'match:1'), [stays.sessionId])
  })

  t.test('presence: the sockets of an instance that stops are removed', async t => {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    // The embedded store ends with its instance.
    if (store.kind === 'embedded' || transport === 'bridge') return
    const stops = await start(t, ['match:*'], { store: await another(), clock })
    const other = await start(t, ['match:*'], { store, clock })
    const { wire, sessionId } = await open(stops, await other.createClient(allPermissions))
    await wire.ask({ type: 'subscribe', channel: 'match:1' })
    await stops.app.tick()
    t.same(await present(other, 'match:1'), [sessionId])
    await stops.app.server.close()
    t.same(await present(other, 'match:1'), [])
  })

  t.test("presence: a session's own channels count only if their prefix is configured", async t => {
    const gateway = await start(t, ['*', 'client:*'])
    const credential = await gateway.createClient(allPermissions)
    const { wire, sessionId } = await open(gateway, credential)
    t.same(await present(gateway, `client:${credential.clientId}`), [sessionId])
    t.match(await gateway.admin('GET', `/channels/session:${sessionId}/presence`), { status: 404 }, '`*` does not')
    await wire.ask({ type: 'bye' })
    await wire.closed()
    t.same(await present(gateway, `client:${credential.clientId}`), [])
  })

  t.test('presence: sends nothing to the store when it is off', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const never = async () => {
      throw new Error('presence reached the store')
    }
    const gateway = await start(t, [], {
      store: { ...store, presence: { touch: never, leave: never, sweep: never, count: never, list: never } },
      clock
    })
    const { wire } = await open(gateway, await gateway.createClient(allPermissions))
    await wire.ask({ type: 'subscribe', channel: 'match:1' })
    await live(gateway, [wire], 30_000)
    t.match(await gateway.admin('GET', '/channels/match:1/presence'), {
      status: 404,
      body: { code: 'NOT_FOUND', message: /COUNTERSIGN_PRESENCE/ }
    })
  })

  t.test('presence: reports changes again that the store missed', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    let isAway = false
    const whenThere =
      <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
      async (...args: Args) => {
        if (isAway) throw new Error('gone')
        return call(...args)
      }
    const { touch, leave, ...reads } = store.presence
    const presence = { ...reads, touch: whenThere(touch), leave: whenThere(leave) }
    const gateway = await start(t, ['match:*'], { store: { ...store, presence }, clock })
    const { wire, sessionId } = await open(gateway, await gateway.createClient(allPermissions))
    await gateway.app.tick()
    isAway = true
    await wire.ask({ type: 'subscribe', channel: 'match:1' })
    t.same(await present(gateway, 'match:1'), [])
    isAway = false
    t.same(await present(gateway, 'match:1'), [sessionId], 'with the next tick, not the next heartbeat')
  })
}
