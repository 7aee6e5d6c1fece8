import type { Test } from 'tap'
import { type Store, StoreUnavailable } from '../../src/store/store.js'
import { type BridgeWire, connectBridge } from '../helper/bridge-wire.js'
import type { OpenStoreForTest } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { hmac } from '../helper/wire.js'
import { frame, longPoll, open, permissions, publish, startTwo, untilHeld, wrapExchange } from './harness.js'

/** How a session ends, or moves (PROTOCOL §5.4, §9.5). */
export function endingSuite(t: Test, openStore: OpenStoreForTest): void {
  t.test('bye, revocation and expiry end a held poll at once with a signed 410, then 404', async t => {
    const two = await startTwo(t, openStore)
    const { gateway, other, clock } = two
    const endings: [
      string,
      string,
      (wire: BridgeWire, client: { clientId: string; keyId: string }) => Promise<unknown>
    ][] = [
      ['SESSION_EXPIRED', 'bye', wire => wire.exchange([frame(wire, { type: 'bye' })], { url: other.url })],
      ['SESSION_REVOKED', 'revocation', (_, c) => other.admin('DELETE', `/clients/${c.clientId}/keys/${c.keyId}`)],
      ['SESSION_REVOKED', 'an operator', wire => other.admin('DELETE', `/sessions/${wire.sessionId}`)],
      [
        'SESSION_EXPIRED',
        'changed permissions',
        (_, c) => other.admin('PATCH', `/clients/${c.clientId}`, { publish: [] })
      ]
    ]
    for (const [code, name, act] of endings) {
      await t.test(name, async t => {
        const credential = await gateway.createClient(permissions)
        const wire = await open(two, credential)
        const poll = longPoll(wire)
        await untilHeld(gateway, 1)
        const number = wire.poll - 1
        await act(wire, credential)
        const answer = await poll
        t.equal(answer.status, 410)
        t.match(answer.frames, [{ type: 'error', code, poll: number }])
        const line = answer.text.trimEnd()
        t.equal(line.slice(-66, -2), hmac(wire.keys.server, `${line.slice(0, -80)}}`), 'signed')
        await until(
          'the session has ended on both instances',
          async () => (await wire.exchange([], { url: other.url })).status === 410
        )
        t.equal(await two.store.sessions.get(wire.sessionId), undefined)
        clock.advance(121_000)
        if (two.store.kind === 'embedded') {
          await gateway.app.tick()
          t.equal((await wire.exchange([])).status, 404, 'after 120 s the session is unknown')
        }
      })
    }
    const wire = await open(two)
    const bye = await wire.exchange([frame(wire, { type: 'bye' })])
    t.match(bye.frames, [{ type: 'ack' }, { type: 'polled' }])
  })

  t.test('bug: an ended session was not counted after bye', async t => {
    const two = await startTwo(t, openStore)
    const gateways = new Set([two.gateway, two.other])
    const endings = async () => {
      const metrics = (await Promise.all([...gateways].map(({ app }) => app.readMetrics()))).flat()
      return metrics.filter(({ name }) => name === 'countersign_sessions_ended_total').flatMap(({ values }) => values)
    }
    const wire = await open(two)
    // The other instance loads the session.
    await wire.exchange([], { url: two.other.url })
    const bye = [frame(wire, { type: 'bye' })]
    const poll = wire.poll
    t.match((await wire.exchange(bye)).frames, [{ type: 'ack' }, { type: 'polled' }])
    await until('the end is counted', async () => (await endings()).length > 0)
    for (const { url } of [two.gateway, two.other]) {
      const { status, frames } = await wire.exchange(bye, { poll, url })
      t.equal(status, 410)
      t.match(frames, [{ message: 'the session ended with bye' }])
    }
    two.clock.advance(100_000)
    for (const { app } of gateways) await app.tick()
    t.match(await endings(), [{ value: 1, labels: { transport: 'bridge', code: 'bye' } }])
    t.equal((await endings()).length, 1)
  })

  t.test('bug: a session that could not be opened took a place of its client until its timeout', async t => {
    const failing = { part: '' }
    const fails = (part: string) => (failing.part === part ? Promise.reject(new StoreUnavailable()) : undefined)
    const { gateway, store } = await startTwo(
      t,
      openStore,
      { config: { rateLimit: true, maxSessionsPerClient: 1 } },
      store => ({
        ...store,
        channels: Object.create(store.channels, {
          tops: {
            value: (...all: Parameters<Store['channels']['tops']>) => fails('tops') ?? store.channels.tops(...all)
          }
        }),
        bridge: Object.create(store.bridge, {
          open: { value: (...all: Parameters<Store['bridge']['open']>) => fails('open') ?? store.bridge.open(...all) }
        })
      })
    )
    const credential = await gateway.createClient(permissions)
    for (const part of ['tops', 'open']) {
      failing.part = part
      const wire = await connectBridge(gateway.url)
      wire.authenticate(credential)
      t.match(JSON.parse(await wire.nextText()), { code: 'UNAVAILABLE' })
      await until('its entry is removed', async () => (await store.sessions.count()) === 0)
    }
    failing.part = ''
    t.ok(await open({ gateway }, credential))
    const metrics = await gateway.app.readMetrics()
    const total = (wanted: string) =>
      metrics.find(({ name }) => name === wanted)?.values.reduce((sum, { value }) => sum + value, 0)
    t.equal(total('countersign_sessions_opened_total'), 3)
    t.equal(total('countersign_sessions_ended_total'), 2)
  })

  t.test('ends a silent session, but not one with a held poll', async t => {
    const two = await startTwo(t, openStore)
    const [silent, waiting] = [await open(two), await open(two)]
    const poll = longPoll(waiting)
    await untilHeld(two.gateway, 1)
    two.clock.advance(89_999)
    await two.other.app.tick()
    await two.gateway.app.tick()
    two.clock.advance(1)
    await two.other.app.tick()
    await two.gateway.app.tick()
    t.match((await silent.exchange([])).frames, [{ type: 'error', code: 'HEARTBEAT_LOST' }])
    await publish(two.gateway, `session:${waiting.sessionId}`, 1)
    t.match((await poll).frames, [{ data: 1 }, { type: 'polled' }])
  })

  t.test('bug: the last activity of a bridge session was 35 s in the future', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    await wire.exchange([])
    const seenAt = new Date(two.clock.now()).toISOString()
    two.clock.advance(5000)
    await two.gateway.app.tick()
    const { body } = await two.gateway.admin('GET', '/sessions')
    t.match(body.items, [{ sessionId: wire.sessionId, lastSeenAt: seenAt }])
  })

  t.test('stale polls do not count as activity', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    await wire.exchange([], { poll: 5 })
    for (let i = 0; i < 3; i++) {
      two.clock.advance(30_000)
      const { polled } = await wire.exchange([], { poll: 5, wait: 25 })
      if (i < 2) t.match(polled, { superseded: true })
      await two.gateway.app.tick()
    }
    t.match((await wire.exchange([], { poll: 6 })).frames, [{ type: 'error', poll: 6, code: 'HEARTBEAT_LOST' }])
  })

  t.test('bug: a stale poll does not count as activity while it is processed, nor on another instance', async t => {
    const gate = { isClosed: false, waiting: 0, open: () => {} }
    const two = await startTwo(
      t,
      openStore,
      {},
      wrapExchange(async (_request, next) => {
        if (gate.isClosed) {
          gate.waiting++
          await new Promise<void>(resolve => Object.assign(gate, { open: resolve }))
        }
        return next()
      })
    )
    const wire = await open(two)
    await wire.exchange([], { poll: 5 })
    two.clock.advance(89_999)
    t.match((await wire.exchange([], { poll: 5, url: two.other.url })).polled, { superseded: true })
    gate.isClosed = true
    const stale = wire.exchange([], { poll: 5 })
    await until('the exchange is in progress', () => gate.waiting === 1)
    for (const ms of [0, 1]) {
      two.clock.advance(ms)
      await two.other.app.tick()
      await two.gateway.app.tick()
    }
    gate.isClosed = false
    gate.open()
    t.match((await stale).frames, [{ code: 'HEARTBEAT_LOST' }])
  })

  t.test('continues a session on another instance when its own is gone, with its channels and permissions', async t => {
    const two = await startTwo(t, openStore)
    const credential = await two.gateway.createClient(permissions)
    const wire = await open(two, credential)
    await wire.ask({ type: 'subscribe', channel: 'c' })
    await publish(two.gateway, 'c', 'delivered')
    await two.gateway.app.server.close()
    if (two.other === two.gateway) {
      t.pass('one process has no other instance')
      return
    }
    t.match((await wire.exchange([], { url: two.other.url })).frames, [{ data: 'delivered' }, { type: 'polled' }])
    await two.other.admin('DELETE', `/clients/${credential.clientId}/keys/${credential.keyId}`)
    t.match((await longPoll(wire, { url: two.other.url })).frames, [{ code: 'SESSION_REVOKED' }])
  })

  t.test('answers held polls at once on a stop', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    const poll = longPoll(wire)
    await untilHeld(two.gateway, 1)
    const stopped = two.gateway.app.stop()
    const answer = await poll
    t.match(answer.frames, [{ type: 'polled', superseded: false }])
    t.equal(answer.headers.get('connection'), 'close')
    await stopped
  })
}
