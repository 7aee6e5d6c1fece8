import type { Test } from 'tap'
import { defaultLimits } from '../../src/protocol/limits.js'
import { maxExchangeListBytes } from '../../src/session/list-budget.js'
import { createClock } from '../helper/clock.js'
import type { Message, Wire } from '../helper/wire.js'
import {
  allPermissions,
  askPast,
  type ChannelHarness,
  offsetsOf,
  positionOf,
  receivePublications
} from './channel-harness.js'
import { nest } from './harness.js'

const large = 'x'.repeat(30_000)

/** The newest publications: `subscribe` with `last`, and `history` (PROTOCOL §10.6). */
export function historySuite(t: Test, harness: ChannelHarness): void {
  const { transport } = harness

  /** A session that may do anything, and channel `c` with publications of these data. */
  async function filled(t: Test, data: readonly unknown[], options: Parameters<ChannelHarness['start']>[1] = {}) {
    const gateway = await harness.start(t, options)
    const credential = await gateway.createClient(allPermissions)
    const wire = await gateway.session(credential)
    const publish = (data: unknown) => askPast(wire, { type: 'publish', channel: 'c', data })
    for (const each of data) await publish(each)
    return { gateway, credential, wire, publish, other: await gateway.session(credential) }
  }

  t.test('last: joins with the newest publications, then delivers later ones', async t => {
    const { gateway, credential, publish, other } = await filled(t, [1, 2, 3, 4, 5])
    const subscribed = await other.ask({ type: 'subscribe', channel: 'c', last: 2 })
    t.match(subscribed, { type: 'subscribed', offset: 5, recovered: false })
    const { clientId: publisher } = credential
    const entry = (offset: number) => ({ offset, data: offset, publishedAt: gateway.clock.now(), publisher })
    t.same(subscribed['publications'], [entry(4), entry(5)])
    await publish(6)
    t.match(await other.next('publication'), { offset: 6, data: 6 })
    const again = await other.ask({ type: 'subscribe', channel: 'c', last: 512 })
    t.match(again, { offset: 6, recovered: false }, 'works on a joined channel')
    t.same(offsetsOf(again['publications']), [1, 2, 3, 4, 5, 6])
    await publish(7)
    t.match(await other.next('publication'), { offset: 7 })
  })

  t.test('last: an empty channel has none, and later ones are delivered', async t => {
    const { publish, other } = await filled(t, [])
    const subscribed = await other.ask({ type: 'subscribe', channel: 'c', last: 1 })
    t.match(subscribed, { type: 'subscribed', offset: 0, recovered: false })
    t.notOk('publications' in subscribed)
    await publish('first')
    t.match(await other.next('publication'), { offset: 1 })
  })

  t.test('last: publications that are no longer kept are missing', async t => {
    const clock = createClock()
    const { store } = await harness.openStore(t, clock.now, { history: { size: 3, lifeMs: 60_000 } })
    const { other } = await filled(t, [1, 2, 3, 4, 5], { store, clock })
    const subscribed = await other.ask({ type: 'subscribe', channel: 'c', last: 5 })
    t.same(offsetsOf(subscribed['publications']), [3, 4, 5])
  })

  t.test('last: sends the newest that fit into a list, and not the older ones', async t => {
    const { publish, other } = await filled(
      t,
      Array.from({ length: 6 }, () => large)
    )
    const subscribed = await other.ask({ type: 'subscribe', channel: 'c', last: 6 })
    t.match(subscribed, { offset: 6, recovered: false })
    t.same(offsetsOf(subscribed['publications']), [3, 4, 5, 6])
    t.ok(JSON.stringify(subscribed).length + 80 <= defaultLimits.listBytes)
    await publish('next')
    t.match(await other.next('publication'), { offset: 7 }, 'nothing older follows')
  })

  t.test('last: data nested too deep for a list follows it', async t => {
    const { publish, other } = await filled(t, [1, nest(29), nest(30), 4])
    const subscribed = await other.ask({ type: 'subscribe', channel: 'c', last: 3 })
    t.match(subscribed, { offset: 2, publications: [{ offset: 2 }] })
    await publish(5)
    t.same(offsetsOf(await receivePublications(other, 3)), [3, 4, 5])
    t.match(await other.ask({ type: 'subscribe', channel: 'c', last: 1 }), { offset: 5, publications: [{ data: 5 }] })
  })

  t.test('last: neither misses nor repeats publications that are made meanwhile', async t => {
    const { gateway, credential, publish } = await filled(t, [1])
    const wires = await Promise.all(Array.from({ length: 6 }, () => gateway.session(credential)))
    const joinedBefore = wires.slice(3)
    for (const wire of joinedBefore) await wire.ask({ type: 'subscribe', channel: 'c' })
    const publishing = (async () => {
      for (let i = 2; i <= 100; i++) await publish(i)
    })()
    await Promise.all(
      wires.map(async wire => {
        const { answer } = await askPast(wire, { type: 'subscribe', channel: 'c', last: 3 })
        const { offset } = positionOf(answer)
        t.same(offsetsOf(answer['publications']).at(-1), offset)
        t.same(
          offsetsOf(await receivePublications(wire, 100 - offset)),
          Array.from({ length: 100 - offset }, (_, i) => offset + 1 + i)
        )
      })
    )
    await publishing
  })

  t.test('history: goes back page by page, without joining', async t => {
    const { credential, wire, publish, other } = await filled(t, [1, 2, 3, 4, 5, 6])
    await wire.ask({ type: 'publish', channel: 'c', data: 7 })
    const page = (members: object) => other.ask({ type: 'history', channel: 'c', ...members })
    const newest = await page({ limit: 3 })
    t.match(newest, { type: 'history', channel: 'c', more: true })
    t.same(offsetsOf(newest['publications']), [5, 6, 7])
    t.match(newest['publications'], [{ publisher: credential.clientId }, {}, { publisher: credential.clientId }])
    const epoch = String(newest['epoch'])
    const older = await page({ limit: 10, before: { offset: 5, epoch } })
    t.match(older, { epoch, more: false })
    t.same(offsetsOf(older['publications']), [1, 2, 3, 4])
    t.match(await page({ before: { offset: 1, epoch } }), { publications: [], more: false })
    t.same((await page({ before: { offset: 3, epoch: 'another' } }))['publications'], [])
    t.match(await page({ before: { offset: 3, epoch: 'another' } }), { epoch, more: false })
    await publish(8)
    t.match(await other.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'it did not join')
  })

  t.test('history: 20 by default, and an empty list for a channel without publications', async t => {
    const { other } = await filled(
      t,
      Array.from({ length: 25 }, (_, i) => i)
    )
    const newest = await other.ask({ type: 'history', channel: 'c' })
    t.equal(offsetsOf(newest['publications']).length, 20)
    t.match(newest, { more: true })
    const empty = await other.ask({ type: 'history', channel: 'never-used' })
    t.match(empty, { publications: [], more: false })
    t.type(empty['epoch'], 'string')
  })

  t.test('history: names the publisher, except for publications over HTTP', async t => {
    const { gateway, credential, other } = await filled(t, [1])
    await gateway.publish({ channel: 'c', data: 2 })
    const { publications } = (await other.ask({ type: 'history', channel: 'c' })) as { publications?: Message[] }
    t.match(publications, [{ data: 1, publisher: credential.clientId }, { data: 2 }])
    t.notOk('publisher' in (publications?.[1] ?? {}))
  })

  t.test('history: a page has at most the bytes of a list, and states whether there are more', async t => {
    const { other } = await filled(
      t,
      Array.from({ length: 6 }, () => large)
    )
    const newest = await other.ask({ type: 'history', channel: 'c', limit: 6 })
    t.same(offsetsOf(newest['publications']), [3, 4, 5, 6])
    t.match(newest, { more: true })
    const older = await other.ask({ type: 'history', channel: 'c', before: { offset: 3, epoch: newest['epoch'] } })
    t.same(offsetsOf(older['publications']), [1, 2])
    t.match(older, { more: false })
  })

  t.test('history: leaves out data that nests too deep for a list', async t => {
    const { other } = await filled(t, [1, nest(30), nest(29)])
    t.same(offsetsOf((await other.ask({ type: 'history', channel: 'c' }))['publications']), [1, 3])
  })

  t.test('refuses members out of range by their name, and channels without permission', async t => {
    const gateway = await harness.start(t)
    const wire = await gateway.session(await gateway.createClient({ subscribe: ['c'] }))
    const recover = { offset: 0, epoch: 'e' }
    const refused: [Message, string, RegExp][] = [
      [{ type: 'subscribe', channel: 'c', last: 0 }, 'INVALID_MESSAGE', /^last: expected an integer from 1 to 512/],
      [{ type: 'subscribe', channel: 'c', last: 513 }, 'INVALID_MESSAGE', /^last/],
      [{ type: 'subscribe', channel: 'c', last: 1.5 }, 'INVALID_MESSAGE', /^last/],
      [{ type: 'subscribe', channel: 'c', last: '1' }, 'INVALID_MESSAGE', /^last/],
      [{ type: 'subscribe', channel: 'c', last: null }, 'INVALID_MESSAGE', /^last/],
      [{ type: 'subscribe', channel: 'c', last: 1, recover }, 'INVALID_MESSAGE', /^last: not together with recover/],
      [{ type: 'subscribe', channel: 'other', last: 1 }, 'PERMISSION_DENIED', /other/],
      [{ type: 'history', channel: 'c', limit: 0 }, 'INVALID_MESSAGE', /^limit: expected an integer from 1 to 100/],
      [{ type: 'history', channel: 'c', limit: 101 }, 'INVALID_MESSAGE', /^limit/],
      [{ type: 'history', channel: 'c', before: 3 }, 'INVALID_MESSAGE', /^before/],
      [{ type: 'history', channel: 'c', before: { offset: -1, epoch: 'e' } }, 'INVALID_MESSAGE', /^before/],
      [{ type: 'history', channel: 'c', before: { offset: 1 } }, 'INVALID_MESSAGE', /^before/],
      [{ type: 'history', channel: 'c d' }, 'INVALID_CHANNEL', /^channel/],
      [{ type: 'history', channel: 5 }, 'INVALID_MESSAGE', /^channel/],
      [{ type: 'history' }, 'INVALID_MESSAGE', /^channel/],
      [{ type: 'history', channel: 'other' }, 'PERMISSION_DENIED', /other/],
      [{ type: 'history', channel: 'client:someone' }, 'PERMISSION_DENIED', /client:someone/]
    ]
    for (const [message, code, text] of refused) {
      const answer = await wire.ask(message)
      t.match(answer, { type: 'error', code, message: text }, JSON.stringify(message))
    }
    t.match(await wire.ask({ type: 'history', channel: 'c' }), { type: 'history' }, 'the session goes on')
  })

  t.test('bug: a client could not page past publications that all nest too deep', async t => {
    const deep = nest(defaultLimits.depth - 2)
    const { wire, publish } = await filled(t, ['a', 'b', ...Array.from({ length: 5 }, () => deep)])
    const read = (members: object) => wire.ask({ type: 'history', channel: 'c', ...members })
    const first = await read({ limit: 2 })
    t.same(offsetsOf(first['publications']), [1, 2], 'it reads on until something fits')
    t.match(first, { more: false })
    const one = await read({ limit: 1 })
    t.same(offsetsOf(one['publications']), [2])
    t.match(one, { more: true }, 'the limit holds for what is read on, too')
    const rest = await read({ limit: 1, before: positionOf({ ...one, offset: 2 }) })
    t.same(offsetsOf(rest['publications']), [1])
    for (let i = 0; i < 3; i++) await publish(i)
    const mixed = await read({ limit: 4 })
    t.same(offsetsOf(mixed['publications']), [8, 9, 10], 'a page that holds something does not read on')
    t.match(mixed, { more: true })
    const { wire: only } = await filled(t, [deep, deep, deep])
    t.match(await only.ask({ type: 'history', channel: 'c', limit: 1 }), { publications: [], more: false })
  })

  if (transport === 'bridge') {
    t.test('history: the answers of one exchange have a bounded number of bytes', async t => {
      const { wire } = await filled(
        t,
        Array.from({ length: 4 }, () => large.slice(5000))
      )
      const frames = await inOneExchange(wire, 8, { type: 'history', channel: 'c', limit: 4 })
      const refused = frames.filter(({ type }) => type === 'error')
      t.ok(refused.length > 0 && refused.length < 8)
      t.ok(refused.every(({ code, retryAfterMs }) => code === 'RATE_LIMITED' && Number(retryAfterMs) > 0))
      const lists = frames.filter(({ type }) => type === 'history')
      t.ok(JSON.stringify(lists).length <= maxExchangeListBytes + defaultLimits.frameBytes)
      const last = lists.at(-1)
      t.match(last, { more: true }, 'a page is shorter where less is left')
      t.match(await wire.ask({ type: 'history', channel: 'c' }), { type: 'history' }, 'the next exchange has its own')
    })

    t.test('last: publications that do not fit into the answers of one exchange follow', async t => {
      const { gateway, credential } = await filled(
        t,
        Array.from({ length: 4 }, () => large)
      )
      const wire = await gateway.session(credential)
      const frames = await inOneExchange(wire, 2, { type: 'subscribe', channel: 'c', last: 4 })
      t.same(
        frames.filter(({ type }) => type === 'error'),
        []
      )
      const [first, second] = frames.filter(({ type }) => type === 'subscribed')
      t.same(offsetsOf(first?.['publications']), [1, 2, 3, 4])
      t.match(second, { offset: 0, recovered: false })
      t.notOk('publications' in (second ?? {}))
      const after = frames.filter(({ type }) => type === 'publication')
      const rest = await receivePublications(wire, 4 - after.length)
      t.same(offsetsOf([...after, ...rest]), [1, 2, 3, 4])
    })
  }
}

/** Sends a message several times in one exchange. @returns the answers, and the publications that came before the last */
async function inOneExchange(wire: Wire, count: number, message: Message): Promise<Message[]> {
  for (let i = 0; i < count; i++) wire.send(message)
  const frames: Message[] = []
  while (frames.filter(({ re }) => re !== undefined).length < count) frames.push(await wire.next())
  return frames
}
