import type { Test } from 'tap'
import { createClock, type FakeClock } from '../helper/clock.js'
import { type Gateway, type GatewayOptions, startGateway } from '../helper/gateway.js'
import type { Message, Wire } from '../helper/wire.js'
import type { TransportUnderTest } from './suite.js'

/** Channels as a session sees them (PROTOCOL §10), whatever carries it. Run on each transport and each store. */

const all = { subscribe: ['*'], publish: ['*'] }

/** `{offset, epoch}` of a `subscribed` or `published`. */
function positionOf({ offset, epoch }: Message): { offset: number; epoch: string } {
  return { offset: Number(offset), epoch: String(epoch) }
}

/** The answer to a message, and the publications that came before it. */
async function askPast(wire: Wire, message: Message): Promise<{ answer: Message; publications: Message[] }> {
  const re = wire.send(message)
  const publications: Message[] = []
  for (;;) {
    const next = await wire.next()
    if (next['re'] === re) return { answer: next, publications }
    if (next.type !== 'publication') throw new Error(`neither answer nor publication: ${JSON.stringify(next)}`)
    publications.push(next)
  }
}

async function take(wire: Wire, count: number): Promise<Message[]> {
  const taken: Message[] = []
  while (taken.length < count) taken.push(await wire.next('publication'))
  return taken
}

const offsetsOf = (publications: unknown) =>
  (publications as { offset: number }[]).map(publication => publication.offset)

export function channelSuite(
  t: Test,
  { transport, openStore }: Pick<TransportUnderTest, 'transport' | 'openStore'>
): void {
  async function start(t: Test, options: GatewayOptions = {}): Promise<Gateway> {
    const clock: FakeClock = options.clock ?? createClock()
    const { store } = await openStore(t, clock.now)
    const config = { bridgeTimeoutSeconds: 45, lingerMs: 0, ...options.config }
    return startGateway(t, { store, ...options, transport, config, clock })
  }

  t.test('a publication goes to all who have joined, the publisher included', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(all)
    const [publisher, listener, stranger] = await Promise.all([1, 2, 3].map(() => gateway.session(credential)))
    if (publisher === undefined || listener === undefined || stranger === undefined) throw new Error()
    for (const wire of [publisher, listener]) {
      const subscribed = await wire.ask({ type: 'subscribe', channel: 'news' })
      t.match(subscribed, { type: 'subscribed', channel: 'news', offset: 0, recovered: false })
    }
    const data = { text: 'hé "quoted" \\ 🙂', list: [1, 2.5, null, true], ['__proto__']: { x: 1 } }
    const { answer, publications } = await askPast(publisher, { type: 'publish', channel: 'news', data })
    t.match(answer, { type: 'published', channel: 'news', offset: 1 })
    t.notOk('duplicate' in answer)
    const own = publications[0] ?? (await publisher.next('publication'))
    const other = await listener.next('publication')
    for (const publication of [own, other]) {
      t.match(publication, { channel: 'news', ...positionOf(answer), publishedAt: gateway.clock.now() })
      t.equal(JSON.stringify(publication['data']), JSON.stringify(data))
    }
    t.match(await stranger.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'who has not joined hears nothing')
  })

  t.test('publications of one channel come once and in order', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(all)
    const listener = await gateway.session(credential)
    await listener.ask({ type: 'subscribe', channel: 'c' })
    const publishers = await Promise.all([1, 2, 3].map(() => gateway.session(credential)))
    await Promise.all(
      publishers.map(async (wire, who) => {
        for (let i = 0; i < 50; i++) await wire.ask({ type: 'publish', channel: 'c', data: [who, i] })
      })
    )
    const publications = await take(listener, 150)
    t.same(
      offsetsOf(publications),
      Array.from({ length: 150 }, (_, i) => i + 1)
    )
    for (const who of [0, 1, 2]) {
      const own = publications.map(({ data }) => data as number[]).filter(([by]) => by === who)
      t.same(
        own.map(([, i]) => i),
        Array.from({ length: 50 }, (_, i) => i)
      )
    }
    t.match(await listener.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'and nothing twice')
  })

  // ── Recovery ───────────────────────────────────────────────────────────────────────────────────────────────────────

  t.test('who comes back gets all that it missed, then what is new', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(all)
    const publisher = await gateway.session(credential)
    const publish = async (data: unknown) => positionOf(await publisher.ask({ type: 'publish', channel: 'c', data }))
    const first = await publish(1)
    const missed = [await publish(2), await publish(3)]
    const wire = await gateway.session(credential)
    const subscribed = await wire.ask({ type: 'subscribe', channel: 'c', recover: first })
    t.match(subscribed, { type: 'subscribed', recovered: true, ...missed[1] })
    t.same(
      subscribed['publications'],
      [2, 3].map(data => ({ offset: data, data, publishedAt: gateway.clock.now() }))
    )
    await publish(4)
    t.match(await wire.next('publication'), { offset: 4, data: 4 })
    const again = await wire.ask({ type: 'subscribe', channel: 'c', recover: { ...first, offset: 3 } })
    t.match(again, { recovered: true, offset: 4, publications: [{ offset: 4 }] }, 'legal where one has joined')
    const nothing = await wire.ask({ type: 'subscribe', channel: 'c', recover: { ...first, offset: 4 } })
    t.match(nothing, { recovered: true, offset: 4 })
    t.same(nothing['publications'] ?? [], [])
  })

  t.test('what cannot be recovered whole is not recovered', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient(all))
    const { epoch } = positionOf(await wire.ask({ type: 'publish', channel: 'c', data: 1 }))
    for (const recover of [
      { offset: 1, epoch: 'another' },
      { offset: 2, epoch }
    ]) {
      const subscribed = await wire.ask({ type: 'subscribe', channel: 'c', recover })
      t.match(subscribed, { type: 'subscribed', recovered: false, offset: 1, epoch })
      t.notOk('publications' in subscribed)
    }
    for (let i = 0; i < 513; i++) await askPast(wire, { type: 'publish', channel: 'd', data: i })
    const top = positionOf(await wire.ask({ type: 'subscribe', channel: 'd' }))
    const far = await wire.ask({ type: 'subscribe', channel: 'd', recover: { ...top, offset: 0 } })
    t.match(far, { recovered: false, offset: 513 }, 'more than `recover`')
    const { answer, publications } = await askPast(wire, {
      ...{ type: 'subscribe', channel: 'd' },
      recover: { ...top, offset: 1 }
    })
    t.match(answer, { recovered: true, offset: 513 })
    t.equal((answer['publications'] as unknown[]).length + publications.length, 512)
  })

  t.test('what does not fit into `subscribed` follows, before anything newer', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(all)
    const [publisher, wire] = [await gateway.session(credential), await gateway.session(credential)]
    const large = 'ä'.repeat(16_000)
    let epoch = ''
    for (let i = 0; i < 5; i++) {
      epoch = positionOf(await publisher.ask({ type: 'publish', channel: 'c', data: `${large}${i}` })).epoch
    }
    const subscribed = await wire.ask({ type: 'subscribe', channel: 'c', recover: { offset: 0, epoch } })
    t.match(subscribed, { recovered: true, offset: 2 }, 'its own position, not the top')
    t.same(offsetsOf(subscribed['publications']), [1, 2])
    await publisher.ask({ type: 'publish', channel: 'c', data: 'new' })
    t.same(offsetsOf(await take(wire, 4)), [3, 4, 5, 6])
  })

  t.test('what is nested too deep for `subscribed` follows', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(all)
    const [publisher, wire] = [await gateway.session(credential), await gateway.session(credential)]
    const nest = (levels: number): unknown => (levels === 0 ? 1 : [nest(levels - 1)])
    const published = []
    for (const levels of [29, 30, 1, 31]) {
      published.push(positionOf(await publisher.ask({ type: 'publish', channel: 'c', data: nest(levels) })))
    }
    const [first = { offset: 0, epoch: '' }] = published
    const subscribed = await wire.ask({ type: 'subscribe', channel: 'c', recover: { ...first, offset: 0 } })
    t.match(subscribed, { recovered: true, offset: 1, publications: [{ offset: 1, data: nest(29) }] })
    const followed = await take(wire, 3)
    t.same(
      followed.map(({ data }) => data),
      [nest(30), nest(1), nest(31)]
    )
    t.same(offsetsOf(followed), [2, 3, 4])
  })

  t.test('a join while publications come misses none of them', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(all)
    const publisher = await gateway.session(credential)
    const wires = await Promise.all(Array.from({ length: 8 }, () => gateway.session(credential)))
    const publishing = (async () => {
      for (let i = 0; i < 200; i++) await publisher.ask({ type: 'publish', channel: 'c', data: i })
    })()
    await Promise.all(
      wires.map(async wire => {
        const { offset } = positionOf(await wire.ask({ type: 'subscribe', channel: 'c' }))
        const rest = await take(wire, 200 - offset)
        t.same(
          offsetsOf(rest),
          Array.from({ length: 200 - offset }, (_, i) => offset + 1 + i)
        )
      })
    )
    await publishing
  })

  // ── Names and rights ───────────────────────────────────────────────────────────────────────────────────────────────

  t.test('names: no channel name, no text', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient(all))
    for (const type of ['subscribe', 'unsubscribe', 'publish']) {
      for (const channel of ['', 'a b', 'ä', 'x'.repeat(129), 'a/b']) {
        t.match(await wire.ask({ type, channel, data: 1 }), { type: 'error', code: 'INVALID_CHANNEL' })
      }
      for (const channel of [undefined, 5, null, ['a']]) {
        t.match(await wire.ask({ type, channel, data: 1 }), { type: 'error', code: 'INVALID_MESSAGE' })
      }
    }
    t.match(await wire.ask({ type: 'subscribe', channel: 'x'.repeat(128) }), { type: 'subscribed' })
    t.match(await wire.ask({ type: 'subscribe', channel: 'A.z_0:-' }), { type: 'subscribed' })
    for (const recover of [null, { offset: -1, epoch: 'e' }, { offset: 1 }, { offset: 1, epoch: 'x'.repeat(65) }]) {
      t.match(await wire.ask({ type: 'subscribe', channel: 'c', recover }), { code: 'INVALID_MESSAGE' })
    }
  })

  t.test('rights are patterns', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient({ subscribe: ['a', 'b.*'], publish: ['c.*'] }))
    const ask = async (type: string, channel: string) => (await wire.ask({ type, channel, data: 1 })).type
    t.equal(await ask('subscribe', 'a'), 'subscribed')
    t.equal(await ask('subscribe', 'b.'), 'subscribed')
    t.equal(await ask('subscribe', 'b.x:y'), 'subscribed')
    t.equal(await ask('publish', 'c.1'), 'published')
    for (const [type, channel] of [
      ['subscribe', 'aa'],
      ['subscribe', 'b'],
      ['subscribe', 'c.1'],
      ['publish', 'a'],
      ['publish', 'c']
    ] as const) {
      t.match(await wire.ask({ type, channel, data: 1 }), { type: 'error', code: 'PERMISSION_DENIED' })
    }
    t.equal(await ask('unsubscribe', 'aa'), 'ack', 'who leaves what it never joined has left it')
  })

  t.test('own channels are joined from the start, and nobody else may', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(all)
    const { clientId } = credential
    const wire = await gateway.wire()
    wire.authenticate(credential)
    const welcome = await wire.next('welcome')
    const sibling = await gateway.session(credential)
    const [own, session] = [`client:${clientId}`, `session:${welcome['sessionId']}`]
    const herald = await gateway.session(
      await gateway.createClient({ subscribe: ['*', 'client:*', 'session:*'], publish: ['client:*', 'session:*'] })
    )
    for (const channel of [own, session, 'client:', 'session:x']) {
      t.match(await herald.ask({ type: 'subscribe', channel }), { code: 'PERMISSION_DENIED' }, channel)
      t.match(await wire.ask({ type: 'publish', channel, data: 1 }), { code: 'PERMISSION_DENIED' }, '`*` is not enough')
    }
    t.match(await sibling.ask({ type: 'subscribe', channel: session }), { code: 'PERMISSION_DENIED' })
    t.match(await herald.ask({ type: 'publish', channel: own, data: 'to all of it' }), { offset: 1 })
    t.match(await wire.next('publication'), { channel: own, offset: 1 })
    t.match(await sibling.next('publication'), { channel: own, offset: 1 })
    t.match(await herald.ask({ type: 'publish', channel: session, data: 'to one' }), { offset: 1 })
    t.match(await wire.next('publication'), { channel: session, data: 'to one' })
    const [position] = welcome['subscriptions'] as { channel: string; offset: number; epoch: string }[]
    if (position === undefined) throw new Error('no own channel')
    const { channel, offset, epoch } = position
    const recovered = await wire.ask({ type: 'subscribe', channel, recover: { offset, epoch } })
    t.match(recovered, { recovered: true, publications: [{ data: 'to all of it' }] })
    const late = await gateway.wire()
    late.authenticate(credential)
    t.match((await late.next('welcome'))['subscriptions'], [{ channel: own, offset: 1, epoch }])
  })

  t.test('`cli*` does not spell a reserved prefix', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient({ publish: ['cli*', 'session:s1'] }))
    t.match(await wire.ask({ type: 'publish', channel: 'client:x', data: 1 }), { code: 'PERMISSION_DENIED' })
    t.match(await wire.ask({ type: 'publish', channel: 'clients', data: 1 }), { type: 'published' })
    t.match(await wire.ask({ type: 'publish', channel: 'session:s1', data: 1 }), { type: 'published' })
    t.match(await wire.ask({ type: 'publish', channel: 'session:s2', data: 1 }), { code: 'PERMISSION_DENIED' })
  })

  t.test('so many channels a session, its own two not counted', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(all)
    const wire = await gateway.session(credential)
    const join = (channel: string) => wire.ask({ type: 'subscribe', channel })
    for (let i = 0; i < 128; i++) t.match(await join(`c${i}`), { type: 'subscribed' })
    t.match(await join('one-more'), { type: 'error', code: 'PERMISSION_DENIED' })
    t.match(await join('c7'), { type: 'subscribed' }, 'one that it has joined')
    t.match(await join(`client:${credential.clientId}`), { type: 'subscribed' })
    t.match(await wire.ask({ type: 'unsubscribe', channel: 'c7' }), { type: 'ack' })
    t.match(await join('one-more'), { type: 'subscribed' })
  })

  t.test('who has left hears nothing, and may come back', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient(all))
    const joined = positionOf(await wire.ask({ type: 'subscribe', channel: 'c' }))
    t.match(await wire.ask({ type: 'unsubscribe', channel: 'c' }), { type: 'ack' })
    t.match(await wire.ask({ type: 'unsubscribe', channel: 'c' }), { type: 'ack' })
    t.match(await wire.ask({ type: 'publish', channel: 'c', data: 1 }), { type: 'published', offset: 1 })
    const subscribed = await wire.ask({ type: 'subscribe', channel: 'c', recover: joined })
    t.match(subscribed, { recovered: true, publications: [{ data: 1 }] })
  })

  // ── Publishing ─────────────────────────────────────────────────────────────────────────────────────────────────────

  t.test('data has a bound, as re-encoded', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient(all))
    const publish = (data: unknown) => wire.ask({ type: 'publish', channel: 'c', data })
    t.match(await publish('x'.repeat(32_766)), { type: 'published' })
    t.match(await publish('x'.repeat(32_767)), { type: 'error', code: 'INVALID_MESSAGE' })
    t.match(await publish('ä'.repeat(16_384)), { type: 'error', code: 'INVALID_MESSAGE' })
    t.match(await wire.ask({ type: 'publish', channel: 'c' }), { type: 'error', code: 'INVALID_MESSAGE' }, 'no data')
    t.match(await publish(null), { type: 'published', offset: 2 })
  })

  t.test('a repeat with the same key is the same publication', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(all)
    const publish = (wire: Wire, data: unknown, channel = 'c', idempotencyKey = 'key') =>
      wire.ask({ type: 'publish', channel, data, idempotencyKey })
    const [wire, sibling] = [await gateway.session(credential), await gateway.session(credential)]
    const stranger = await gateway.session(await gateway.createClient(all))
    const first = await publish(wire, { a: 1, b: 2 })
    t.notOk('duplicate' in first)
    t.match(await publish(wire, { a: 1, b: 2 }), { ...positionOf(first), duplicate: true })
    t.match(await publish(sibling, { a: 1, b: 2 }), { ...positionOf(first), duplicate: true }, 'in another session too')
    t.match(await publish(wire, { a: 1 }), { type: 'error', code: 'INVALID_MESSAGE' })
    const fresh = [await publish(wire, 1, 'other'), await publish(stranger, 1), await publish(wire, 1, 'c', '🔑')]
    for (const published of fresh) t.match(published, { type: 'published', duplicate: undefined })
    gateway.clock.advance(4 * 60 * 1000)
    t.match(await wire.ask({ type: 'publish', channel: 'c', data: 1, idempotencyKey: '' }), { code: 'INVALID_MESSAGE' })
    for (const [key, type] of [
      ['🔑'.repeat(64), 'published'],
      ['x'.repeat(65), 'error']
    ] as const) {
      t.equal((await publish(wire, 1, 'c', key)).type, type)
    }
  })

  t.test('publications reach sessions on every instance', async t => {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    const gateway = await startGateway(t, { store, clock })
    const second = await another()
    const other = second === store ? gateway : await startGateway(t, { store: second, clock })
    const credential = await gateway.createClient(all)
    const [here, there] = [await gateway.session(credential), await other.session(credential)]
    const joined = positionOf(await there.ask({ type: 'subscribe', channel: 'c' }))
    for (let i = 0; i < 20; i++) await here.ask({ type: 'publish', channel: 'c', data: i })
    t.same(
      (await take(there, 20)).map(({ data }) => data),
      Array.from({ length: 20 }, (_, i) => i)
    )
    const late = await here.ask({ type: 'subscribe', channel: 'c', recover: joined })
    t.equal((late['publications'] as unknown[]).length, 20)
  })

  t.test('a store that does not answer: subscribe and publish are told so, and the session lives', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const { StoreUnavailable } = await import('../../src/store/store.js')
    const away = { now: false }
    const orFail = <T>(run: () => Promise<T>): Promise<T> => (away.now ? Promise.reject(new StoreUnavailable()) : run())
    const { channels } = store
    const gateway = await startGateway(t, {
      clock,
      store: {
        ...store,
        channels: {
          ...channels,
          get isReceiving() {
            return channels.isReceiving
          },
          publish: (...args) => orFail(() => channels.publish(...args)),
          read: (...args) => orFail(() => channels.read(...args)),
          tops: names => orFail(() => channels.tops(names))
        }
      }
    })
    const credential = await gateway.createClient(all)
    const wire = await gateway.session(credential)
    await wire.ask({ type: 'subscribe', channel: 'c' })
    away.now = true
    for (const channel of ['c', 'd']) {
      t.match(await wire.ask({ type: 'subscribe', channel }), { code: 'UNAVAILABLE', retryAfterMs: 1000 })
      t.match(await wire.ask({ type: 'publish', channel, data: 1 }), { code: 'UNAVAILABLE' })
    }
    const refused = await gateway.wire()
    refused.authenticate(credential)
    t.match(JSON.parse(await refused.nextText()), { type: 'error', code: 'UNAVAILABLE' }, 'no session without channels')
    away.now = false
    const { publications } = await askPast(wire, { type: 'publish', channel: 'c', data: 1 })
    t.match(publications[0] ?? (await wire.next('publication')), { offset: 1 }, 'it is still joined')
  })
}
