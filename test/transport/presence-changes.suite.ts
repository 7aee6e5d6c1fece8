import type { Test } from 'tap'
import type { BridgeWire } from '../helper/bridge-wire.js'
import type { FakeClock } from '../helper/clock.js'
import type { Gateway } from '../helper/gateway.js'
import type { Message, Wire } from '../helper/wire.js'
import type { TransportAndStore } from './harness.js'
import { createPresenceHarness, present, presentPermissions } from './presence-harness.js'

/** Changes of presence (PROTOCOL §10.7), whatever transport carries the sessions. */
export function presenceChangesSuite(t: Test, under: TransportAndStore): void {
  const { startTwo, open } = createPresenceHarness(under)
  const { transport } = under

  interface Change {
    readonly joined: readonly { sessionId: string; clientId: string }[]
    readonly left: readonly { sessionId: string; clientId: string }[]
    readonly count: number
  }

  const idsOf = (list: readonly { sessionId: string }[]) => list.map(({ sessionId }) => sessionId).sort()

  /** Writes what sessions reported, then lets a second pass. */
  async function settle(clock: FakeClock, gateways: readonly Gateway[], ms = 1000): Promise<void> {
    for (const { app } of gateways) await app.tick()
    clock.advance(ms)
    for (const { app } of gateways) await app.tick()
  }

  async function nextChange(wire: Wire): Promise<Change> {
    return (await wire.next('presenceChanged')) as unknown as Change
  }

  /** The frames of this kind that come before the answer to a heartbeat. */
  async function framesUntilNow(wire: Wire): Promise<Message[]> {
    const re = wire.send({ type: 'heartbeat' })
    const frames: Message[] = []
    for (;;) {
      const frame = await wire.next()
      if (frame['re'] === re) return frames
      frames.push(frame)
    }
  }

  t.test('presenceChanged: reports joins and leaves on any instance, except its own', async t => {
    const { clock, gateway, other } = await startTwo(t)
    const credential = await gateway.createClient(presentPermissions)
    const watcher = await open(gateway, credential)
    t.match(await watcher.wire.ask({ type: 'subscribe', channel: 'lobby', presence: true }), { type: 'subscribed' })
    await settle(clock, [gateway, other])
    t.same(await framesUntilNow(watcher.wire), [], 'nothing of its own join')
    const visitor = await open(other, credential)
    await visitor.wire.ask({ type: 'subscribe', channel: 'lobby' })
    await settle(clock, [other, gateway])
    t.match(await nextChange(watcher.wire), {
      ...{ channel: 'lobby', count: 2, left: [] },
      joined: [{ sessionId: visitor.sessionId, clientId: credential.clientId }]
    })
    await visitor.wire.ask({ type: 'unsubscribe', channel: 'lobby' })
    await settle(clock, [other, gateway])
    t.match(await nextChange(watcher.wire), { count: 1, joined: [], left: [{ sessionId: visitor.sessionId }] })
    await visitor.wire.ask({ type: 'subscribe', channel: 'lobby' })
    await settle(clock, [other, gateway])
    t.match(await nextChange(watcher.wire), { count: 2, joined: [{ sessionId: visitor.sessionId }] })
    await visitor.wire.ask({ type: 'bye' })
    await visitor.wire.closed()
    await settle(clock, [other, gateway])
    t.match(await nextChange(watcher.wire), { count: 1, left: [{ sessionId: visitor.sessionId }] })
    await visitor.wire.closed()
    await gateway.publish({ channel: 'lobby', data: 1 })
    t.match(await watcher.wire.next('publication'), { channel: 'lobby', offset: 1 }, 'the channel itself goes on')
  })

  t.test('presenceChanged: a subscribe without presence, or an unsubscribe, ends it', async t => {
    const { clock, gateway } = await startTwo(t)
    const credential = await gateway.createClient(presentPermissions)
    const { wire } = await open(gateway, credential)
    for (const stop of [
      { type: 'subscribe', channel: 'lobby' },
      { type: 'subscribe', channel: 'lobby', presence: false },
      { type: 'unsubscribe', channel: 'lobby' }
    ]) {
      await wire.ask({ type: 'subscribe', channel: 'lobby', presence: true })
      await wire.ask({ type: 'subscribe', channel: 'lobby', presence: true })
      const visitor = await open(gateway, credential)
      await visitor.wire.ask({ type: 'subscribe', channel: 'lobby' })
      await settle(clock, [gateway])
      t.match(await nextChange(wire), { joined: [{ sessionId: visitor.sessionId }] })
      await wire.ask(stop)
      await visitor.wire.ask({ type: 'unsubscribe', channel: 'lobby' })
      await settle(clock, [gateway])
      t.same(await framesUntilNow(wire), [], JSON.stringify(stop))
    }
  })

  t.test('presenceChanged: at most one a second, with all that changed meanwhile', async t => {
    const { clock, gateway } = await startTwo(t)
    const credential = await gateway.createClient(presentPermissions)
    const { wire } = await open(gateway, credential)
    await wire.ask({ type: 'subscribe', channel: 'lobby', presence: true })
    await settle(clock, [gateway])
    const visitors = await Promise.all([1, 2, 3, 4].map(() => open(gateway, credential)))
    const [first, second, third, fourth] = visitors
    if (first === undefined || second === undefined || third === undefined || fourth === undefined) throw new Error()
    await first.wire.ask({ type: 'subscribe', channel: 'lobby' })
    await settle(clock, [gateway], 100)
    t.match(await nextChange(wire), { count: 2 })
    for (const { wire } of [second, third, fourth]) await wire.ask({ type: 'subscribe', channel: 'lobby' })
    await settle(clock, [gateway], 100)
    await first.wire.ask({ type: 'unsubscribe', channel: 'lobby' })
    await fourth.wire.ask({ type: 'unsubscribe', channel: 'lobby' })
    await settle(clock, [gateway], 100)
    t.same(await framesUntilNow(wire), [])
    await settle(clock, [gateway])
    const change = await nextChange(wire)
    t.same(idsOf(change.joined), idsOf([second, third]), 'who came and left at once is not in it')
    t.same([idsOf(change.left), change.count], [[first.sessionId], 3])
  })

  t.test('presenceChanged: 100 entries of each kind at most, and the whole count', async t => {
    const { clock, gateway } = await startTwo(t)
    const credential = await gateway.createClient(presentPermissions)
    const { wire } = await open(gateway, credential)
    await wire.ask({ type: 'subscribe', channel: 'lobby', presence: true })
    await settle(clock, [gateway])
    const visitors = Array.from({ length: 150 }, (_, i) => ({ channel: 'lobby', sessionId: `v${i}`, clientId: 'c' }))
    const deadline = clock.now() + 1_000_000
    await gateway.store.presence.touch(
      visitors.map(each => ({ ...each, deadline })),
      clock.now()
    )
    const tracker = await open(gateway, credential)
    await tracker.wire.ask({ type: 'subscribe', channel: 'lobby' })
    await settle(clock, [gateway])
    t.match(await nextChange(wire), { count: 152, joined: [{ sessionId: tracker.sessionId }] })
  })

  t.test('presenceChanged: sessions of an instance that was killed are reported as left in time', async t => {
    const { clock, gateway, other } = await startTwo(t)
    if (gateway === other) return
    const credential = await gateway.createClient(presentPermissions)
    const watcher = await open(gateway, credential)
    await watcher.wire.ask({ type: 'subscribe', channel: 'lobby', presence: true })
    await gateway.app.tick()
    const lost = await open(other, credential)
    await lost.wire.ask({ type: 'subscribe', channel: 'lobby' })
    await settle(clock, [other, gateway])
    t.match(await nextChange(watcher.wire), { count: 2 })
    let left: Change | undefined
    const diedAt = clock.now()
    for (let passed = 0; left === undefined && passed < 200_000; passed += 2500) {
      clock.advance(2500)
      const frames = await framesUntilNow(watcher.wire)
      left = frames.find(({ type }) => type === 'presenceChanged') as unknown as Change | undefined
      await gateway.app.tick()
    }
    t.match(left, { count: 1, joined: [], left: [{ sessionId: lost.sessionId }] })
    t.ok(clock.now() - diedAt <= (45 + 15) * 1000, `${(clock.now() - diedAt) / 1000} s`)
  })

  t.test('subscribe with presence: needs a permission, and is refused as a whole', async t => {
    const { gateway } = await startTwo(t)
    const { wire, sessionId } = await open(
      gateway,
      await gateway.createClient({ subscribe: ['*'], presence: ['lobby', 'chat'] })
    )
    const ask = (channel: string, members: object = {}) =>
      wire.ask({ type: 'subscribe', channel, presence: true, ...members })
    t.match(await ask('lobby2'), { code: 'PERMISSION_DENIED' })
    t.match(await ask('chat'), { code: 'INVALID_CHANNEL' })
    const recover = { offset: 0, epoch: 'e' }
    t.match(await ask('lobby2', { last: 1, recover }), { code: 'PERMISSION_DENIED' }, 'checked first')
    t.match(await ask('lobby', { presence: 'yes' }), {
      code: 'INVALID_MESSAGE',
      message: /^presence: expected true or false/
    })
    await gateway.app.tick()
    const { wire: reader } = await open(gateway, await gateway.createClient({ presence: ['*'] }))
    for (const channel of ['lobby', 'lobby2'])
      t.match(await present(reader, channel), { count: 0 }, 'nothing was joined')
    const { wire: narrow } = await open(gateway, await gateway.createClient({ presence: ['lobby'] }))
    const denied = await narrow.ask({ type: 'subscribe', channel: 'lobby', presence: true })
    t.match(denied, { code: 'PERMISSION_DENIED', message: /^subscribe/ }, 'it may see, not join')
    t.match(await ask('lobby', { last: 1 }), { type: 'subscribed' })
    for (let i = 0; i < 127; i++)
      t.match(await wire.ask({ type: 'subscribe', channel: `c${i}` }), { type: 'subscribed' })
    t.match(await wire.ask({ type: 'subscribe', channel: 'one-more' }), {
      code: 'PERMISSION_DENIED',
      message: /128 channels/
    })
    t.type(sessionId, 'string')
  })

  if (transport === 'bridge') {
    t.test('presenceChanged: wakes a held poll, and any instance delivers it', async t => {
      const { clock, gateway, other } = await startTwo(t)
      const credential = await gateway.createClient(presentPermissions)
      const wire = (await open(gateway, credential)).wire as BridgeWire
      await wire.ask({ type: 'subscribe', channel: 'lobby', presence: true })
      const visitor = await open(gateway, credential)
      const held = wire.exchange([], { wait: 25, url: other.url })
      while (other.app.heldPolls() === 0) await new Promise(resolve => setTimeout(resolve, 5))
      await visitor.wire.ask({ type: 'subscribe', channel: 'lobby' })
      await settle(clock, [gateway, other])
      const { frames } = await held
      t.match(frames[0], { type: 'presenceChanged', count: 2, joined: [{ sessionId: visitor.sessionId }] })
      t.match(frames[1], { type: 'polled' })
      await visitor.wire.ask({ type: 'unsubscribe', channel: 'lobby' })
      await settle(clock, [gateway, other])
      const again = await wire.exchange([], { url: gateway.url })
      t.match(again.frames[0], { type: 'presenceChanged', count: 1, left: [{ sessionId: visitor.sessionId }] })
    })

    t.test('presenceChanged: its own join does not wake its held poll', async t => {
      const { clock, gateway } = await startTwo(t)
      const wire = (await open(gateway, await gateway.createClient(presentPermissions))).wire as BridgeWire
      await wire.ask({ type: 'subscribe', channel: 'lobby', presence: true })
      const held = wire.exchange([], { wait: 1 })
      while (gateway.app.heldPolls() === 0) await new Promise(resolve => setTimeout(resolve, 5))
      await settle(clock, [gateway])
      t.same(
        (await held).frames.map(({ type }) => type),
        ['polled']
      )
    })
  }
}
