import type { Test } from 'tap'
import { StoreUnavailable } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { startGateway } from '../helper/gateway.js'
import type { Message, Wire } from '../helper/wire.js'
import {
  allPermissions,
  askPast,
  type ChannelHarness,
  offsetsOf,
  positionOf,
  receivePublications
} from './channel-harness.js'

/** Publishing and delivery (PROTOCOL §10.2, §10.4). */
export function publishingSuite(t: Test, { start, openStore }: ChannelHarness): void {
  t.test(
    'every publication names the client whose session published it, and none that was published over HTTP',
    async t => {
      const gateway = await start(t)
      const client = await gateway.createClient(allPermissions)
      const publisher = await gateway.session(client)
      const reader = await gateway.session(await gateway.createClient(allPermissions))
      const joined = await reader.ask({ type: 'subscribe', channel: 'c' })
      await publisher.ask({ type: 'publish', channel: 'c', data: { publisher: 'forged' }, publisher: 'forged' })
      await gateway.publish({ channel: 'c', data: 2 })
      const live = [await reader.next('publication'), await reader.next('publication')]
      const recover = { offset: joined['offset'], epoch: joined['epoch'] }
      const recovered = await publisher.ask({ type: 'subscribe', channel: 'c', recover })
      for (const list of [live, recovered['publications'] as Message[]]) {
        t.match(list, [
          { offset: 1, publisher: client.clientId },
          { offset: 2, data: 2 }
        ])
        t.notOk('publisher' in (list[1] ?? {}))
      }
    }
  )

  t.test('delivers a publication to every subscriber, the publisher included', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(allPermissions)
    const [publisher, listener, outsider] = await Promise.all([1, 2, 3].map(() => gateway.session(credential)))
    if (publisher === undefined || listener === undefined || outsider === undefined) throw new Error()
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
    t.match(
      await outsider.ask({ type: 'heartbeat' }),
      { type: 'heartbeat' },
      'a session that has not subscribed receives nothing'
    )
  })

  t.test('delivers the publications of one channel once and in order', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(allPermissions)
    const listener = await gateway.session(credential)
    await listener.ask({ type: 'subscribe', channel: 'c' })
    const publishers = await Promise.all([1, 2, 3].map(() => gateway.session(credential)))
    await Promise.all(
      publishers.map(async (wire, index) => {
        for (let i = 0; i < 50; i++) await wire.ask({ type: 'publish', channel: 'c', data: [index, i] })
      })
    )
    const publications = await receivePublications(listener, 150)
    t.same(
      offsetsOf(publications),
      Array.from({ length: 150 }, (_, i) => i + 1)
    )
    for (const index of [0, 1, 2]) {
      const own = publications.map(({ data }) => data as number[]).filter(([by]) => by === index)
      t.same(
        own.map(([, i]) => i),
        Array.from({ length: 50 }, (_, i) => i)
      )
    }
    t.match(await listener.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'nothing comes twice')
  })

  t.test('limits the size of data as encoded again', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient(allPermissions))
    const publish = (data: unknown) => wire.ask({ type: 'publish', channel: 'c', data })
    t.match(await publish('x'.repeat(32_766)), { type: 'published' })
    t.match(await publish('x'.repeat(32_767)), { type: 'error', code: 'INVALID_MESSAGE' })
    t.match(await publish('ä'.repeat(16_384)), { type: 'error', code: 'INVALID_MESSAGE' })
    t.match(await wire.ask({ type: 'publish', channel: 'c' }), { type: 'error', code: 'INVALID_MESSAGE' }, 'no data')
    t.match(await publish(null), { type: 'published', offset: 2 })
  })

  t.test('answers a repeat with the same idempotency key with the first result', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(allPermissions)
    const publish = (wire: Wire, data: unknown, channel = 'c', idempotencyKey = 'key') =>
      wire.ask({ type: 'publish', channel, data, idempotencyKey })
    const [wire, sibling] = [await gateway.session(credential), await gateway.session(credential)]
    const other = await gateway.session(await gateway.createClient(allPermissions))
    const first = await publish(wire, { a: 1, b: 2 })
    t.notOk('duplicate' in first)
    t.match(await publish(wire, { a: 1, b: 2 }), { ...positionOf(first), duplicate: true })
    t.match(await publish(sibling, { a: 1, b: 2 }), { ...positionOf(first), duplicate: true }, 'in another session too')
    t.match(await publish(wire, { a: 1 }), { type: 'error', code: 'INVALID_MESSAGE' })
    const fresh = [await publish(wire, 1, 'other'), await publish(other, 1), await publish(wire, 1, 'c', '🔑')]
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

  t.test('delivers publications to sessions on every instance', async t => {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    const gateway = await startGateway(t, { store, clock })
    const second = await another()
    const other = second === store ? gateway : await startGateway(t, { store: second, clock })
    const credential = await gateway.createClient(allPermissions)
    const [here, there] = [await gateway.session(credential), await other.session(credential)]
    const joined = positionOf(await there.ask({ type: 'subscribe', channel: 'c' }))
    for (let i = 0; i < 20; i++) await here.ask({ type: 'publish', channel: 'c', data: i })
    t.same(
      (await receivePublications(there, 20)).map(({ data }) => data),
      Array.from({ length: 20 }, (_, i) => i)
    )
    const late = await here.ask({ type: 'subscribe', channel: 'c', recover: joined })
    t.equal((late['publications'] as unknown[]).length, 20)
  })

  t.test('answers subscribe and publish with UNAVAILABLE without the store, and keeps the session', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
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
          publish: (...args) => orFail(async () => channels.publish(...args)),
          read: (...args) => orFail(() => channels.read(...args)),
          tops: names => orFail(() => channels.tops(names))
        }
      }
    })
    const credential = await gateway.createClient(allPermissions)
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
    t.match(publications[0] ?? (await wire.next('publication')), { offset: 1 }, 'it is still subscribed')
  })
}
