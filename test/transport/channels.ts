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

export function channelSuite(t: Test, { openStore }: Pick<TransportUnderTest, 'openStore'>): void {
  async function start(t: Test, options: GatewayOptions = {}): Promise<Gateway> {
    const clock: FakeClock = options.clock ?? createClock()
    const { store } = await openStore(t, clock.now)
    return startGateway(t, { store, ...options, clock })
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
}
