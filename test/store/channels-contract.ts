import fc from 'fast-check'
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import {
  type ChannelStore,
  type HistoryBounds,
  idempotencyLifeMs,
  type Position,
  type StoredPublication
} from '../../src/store/channels.js'
import { until } from '../helper/until.js'

/** What the channels of every store must hold to. Run on each by `channels.test.ts` and `topologies.test.ts`. */

export interface ChannelsUnderTest {
  readonly channels: ChannelStore
  /** Another instance's view of the same channels; the embedded store has no other. */
  another(): Promise<ChannelStore>
  /** Lets time pass for what is kept. */
  lapse(ms: number): Promise<void>
}

export type OpenChannelsForTest = (t: Test, history?: HistoryBounds) => Promise<ChannelsUnderTest>

export interface Heard extends StoredPublication {
  readonly channel: string
  readonly epoch: string
}

/** Writes down what a listener is told. */
export function record(channels: ChannelStore): { readonly heard: Heard[]; readonly missed: { count: number } } {
  const heard: Heard[] = []
  const missed = { count: 0 }
  channels.onPublication({
    publication: (channel, epoch, publication) => heard.push({ channel, epoch, ...publication }),
    mayHaveMissed: () => missed.count++
  })
  return { heard, missed }
}

/** Publishes, and takes nothing but a position for an answer. */
export async function publish(
  channels: ChannelStore,
  channel: string,
  data: string,
  idempotencyKey = ''
): Promise<Position & { readonly duplicate: boolean }> {
  const published = await channels.publish(channel, data, { publishedAt: 1, idempotencyKey })
  if (published === 'conflict') throw new Error('conflict')
  return published
}

/** Lets time pass for everything under a prefix, on each server: what is left of its life is cut short. */
export async function lapseKeys(servers: readonly Redis[], prefix: string, ms: number): Promise<void> {
  for (const server of servers) {
    for (const key of await server.keys(`${prefix}:*`)) {
      const left = await server.pttl(key)
      if (left >= 0) await server.pexpire(key, Math.max(left - ms, 0))
    }
  }
}

const offsetsOf = (publications: readonly StoredPublication[] | undefined) => publications?.map(({ offset }) => offset)

export function channelsContract(t: Test, open: OpenChannelsForTest): void {
  t.test('offsets begin at 1 and go up by one, under one epoch, each channel for itself', async t => {
    const { channels } = await open(t)
    const first = await publish(channels, 'a', '1')
    t.match(first, { offset: 1, duplicate: false })
    t.ok(first.epoch.length > 0 && Buffer.byteLength(first.epoch) <= 64, 'as the wire wants it')
    t.match(await publish(channels, 'a', '2'), { offset: 2, epoch: first.epoch })
    const other = await publish(channels, 'b', '1')
    t.equal(other.offset, 1)
    t.not(other.epoch, first.epoch, 'no two channels share an epoch')
    t.same(await channels.read('a', { offset: 0, epoch: first.epoch }, 9), {
      top: { offset: 2, epoch: first.epoch },
      publications: [
        { offset: 1, data: '1', publishedAt: 1 },
        { offset: 2, data: '2', publishedAt: 1 }
      ]
    })
  })

  t.test('data comes back as it was, byte for byte', async t => {
    const { channels } = await open(t)
    const all = ['""', 'null', '"ä€😀\u2028"', `"${'x'.repeat(32_000)}"`, '{"a":"\\u0000\\n:{}"}', '0', '']
    const { heard } = record(channels)
    await channels.listen(['bytes'])
    for (const data of all) {
      const published = await channels.publish('bytes', data, { publishedAt: 1_700_000_000_123, idempotencyKey: '' })
      t.not(published, 'conflict')
    }
    const { top } = await channels.read('bytes', undefined, 0)
    const { publications } = await channels.read('bytes', { ...top, offset: 0 }, 99)
    t.same(
      publications?.map(({ data }) => data),
      all
    )
    t.equal(publications?.[0]?.publishedAt, 1_700_000_000_123)
    await until('all were heard', () => heard.length === all.length)
    t.same(
      heard.map(({ channel, epoch, ...publication }) => publication),
      publications
    )
  })

  t.test('a read gives all after a position, or nothing', async t => {
    const { channels } = await open(t)
    const { epoch } = await publish(channels, 'a', '1')
    for (let i = 2; i <= 5; i++) await publish(channels, 'a', `${i}`)
    const after = async (offset: number, limit: number, of = epoch) =>
      offsetsOf((await channels.read('a', { offset, epoch: of }, limit)).publications)
    t.same(await after(2, 9), [3, 4, 5])
    t.same(await after(2, 3), [3, 4, 5])
    t.equal(await after(2, 2), undefined, 'more than the limit')
    t.same(await after(5, 0), [], 'nothing was missed')
    t.equal(await after(4, 0), undefined)
    t.equal(await after(6, 9), undefined, 'above the top')
    t.equal(await after(2, 9, 'another'), undefined, 'another epoch')
    t.equal(await after(5, 9, 'another'), undefined)
    t.same(await channels.read('a', undefined, 9), { top: { offset: 5, epoch } }, 'only the top was asked for')
  })

  t.test('a channel that is not known is made, and stays the same', async t => {
    const { channels, another } = await open(t)
    const { top, publications } = await channels.read('new', undefined, 9)
    t.equal(top.offset, 0)
    t.equal(publications, undefined)
    t.same(await channels.read('new', top, 9), { top, publications: [] })
    const [again, other] = await (await another()).tops(['new', 'newer'])
    t.same(again, top)
    t.match(other, { offset: 0 })
    t.same((await channels.read('newer', undefined, 9)).top, other)
    t.match(await publish(channels, 'new', '1'), { offset: 1, epoch: top.epoch })
    t.equal((await channels.read('third', { offset: 0, epoch: 'x' }, 9)).publications, undefined)
  })

  t.test('tops of none to a thousand channels, in their order', async t => {
    const { channels } = await open(t)
    t.same(await channels.tops([]), [])
    const names = Array.from({ length: 1000 }, (_, i) => `c${i}`)
    await publish(channels, 'c500', '1')
    const tops = await channels.tops(names)
    t.equal(tops.length, 1000)
    t.equal(new Set(tops.map(({ epoch }) => epoch)).size, 1000)
    t.equal(
      tops.findIndex(({ offset }) => offset === 1),
      500
    )
    t.same(await channels.tops(['c7', 'c500', 'c7']), [tops[7], tops[500], tops[7]])
  })

  t.test('history is bounded by size: what is out of it is a break, never a hole', async t => {
    const { channels } = await open(t, { size: 3, lifeMs: 60_000 })
    const { epoch } = await publish(channels, 'a', '1')
    for (let i = 2; i <= 5; i++) await publish(channels, 'a', `${i}`)
    t.equal((await channels.read('a', { offset: 1, epoch }, 99)).publications, undefined)
    t.same(offsetsOf((await channels.read('a', { offset: 2, epoch }, 99)).publications), [3, 4, 5])
    t.same((await channels.read('a', undefined, 0)).top, { offset: 5, epoch })
  })

  t.test('history is bounded by its life after the newest publication; offsets go on', async t => {
    const { channels, lapse } = await open(t, { size: 99, lifeMs: 60_000 })
    const { epoch } = await publish(channels, 'a', '1')
    await lapse(40_000)
    await publish(channels, 'a', '2')
    await lapse(40_000)
    const read = async (offset: number) => offsetsOf((await channels.read('a', { offset, epoch }, 99)).publications)
    t.same(await read(0), [1, 2])
    await lapse(40_000)
    t.equal(await read(0), undefined)
    t.same(await read(2), [], 'who has everything misses nothing')
    t.match(await publish(channels, 'a', '3'), { offset: 3, epoch })
    t.equal(await read(1), undefined)
    t.same(await read(2), [3])
  })

  t.test('a repeat with an idempotency key publishes nothing', async t => {
    const { channels, another, lapse } = await open(t)
    const second = await another()
    const { heard } = record(channels)
    await channels.listen(['a'])
    const first = await publish(channels, 'a', '"x"', 'client\nkey')
    await publish(channels, 'a', '"between"')
    t.same(await publish(second, 'a', '"x"', 'client\nkey'), { ...first, duplicate: true })
    const other = await channels.publish('a', '"y"', { publishedAt: 2, idempotencyKey: 'client\nkey' })
    t.equal(other, 'conflict', 'with other data')
    t.match(await publish(channels, 'a', '"y"', 'client\nkey2'), { offset: 3, duplicate: false })
    t.match(await publish(channels, 'b', '"y"', 'client\nkey'), { offset: 1, duplicate: false }, 'of another channel')
    await lapse(idempotencyLifeMs - 10_000)
    t.match(await publish(channels, 'a', '"x"', 'client\nkey'), { offset: 1, duplicate: true })
    await lapse(20_000)
    t.match(await publish(channels, 'a', '"z"', 'client\nkey'), { offset: 4, duplicate: false }, 'forgotten')
    await until('the last was heard', () => heard.at(-1)?.offset === 4)
    t.same(offsetsOf(heard), [1, 2, 3, 4])
  })

  t.test('one key, many at once, on two instances: published once', async t => {
    const { channels, another } = await open(t)
    const second = await another()
    const tries = Array.from({ length: 40 }, (_, i) => publish(i % 2 === 0 ? channels : second, 'a', '1', 'k'))
    const all = await Promise.all(tries)
    t.equal(all.filter(({ duplicate }) => !duplicate).length, 1)
    t.ok(all.every(({ offset }) => offset === 1))
  })

  t.test('publishers on two instances: a listener isReceiving every publication, in order, without a gap', async t => {
    const { channels, another } = await open(t)
    const second = await another()
    const { heard, missed } = record(channels)
    await channels.listen(['a', 'b'])
    const all = Array.from({ length: 300 }, (_, i) =>
      publish(i % 2 === 0 ? channels : second, 'ab'[i % 3] ?? 'a', `${i}`)
    )
    const positions = await Promise.all(all)
    const before = missed.count
    for (const name of ['a', 'b']) {
      const { top } = await channels.read(name, undefined, 0)
      const of = () => heard.filter(({ channel }) => channel === name)
      await until(`all of ${name} were heard`, () => of().at(-1)?.offset === top.offset)
      t.same(
        offsetsOf(of()),
        Array.from({ length: top.offset }, (_, i) => i + 1)
      )
      t.ok(of().every(({ epoch }) => epoch === top.epoch))
    }
    t.equal(heard.length, positions.length)
    t.equal(missed.count, before, 'and nothing was said to be missed')
  })

  t.test('only channels that are listened to are heard', async t => {
    const { channels, another } = await open(t)
    const second = await another()
    const { heard } = record(channels)
    await Promise.all([channels.listen(['a']), channels.listen(['b', 'a']), channels.listen([])])
    await publish(second, 'a', '1')
    await publish(second, 'c', '1')
    await publish(second, 'b', '1')
    await until('both', () => heard.length === 2)
    t.same(heard.map(({ channel }) => channel).sort(), ['a', 'b'])
    channels.unlisten(['a', 'unknown'])
    await channels.listen(['fence'])
    await publish(second, 'a', '2')
    await publish(second, 'fence', '1')
    await until('what came after', () => heard.some(({ channel }) => channel === 'fence'))
    t.notOk(heard.some(({ channel, offset }) => channel === 'a' && offset === 2))
    await channels.listen(['a'])
    await publish(second, 'a', '3')
    await until('heard again', () => heard.some(({ channel, offset }) => channel === 'a' && offset === 3))
    t.ok(channels.isReceiving)
  })

  t.test('unlistened and listened again within one moment: heard', async t => {
    const { channels } = await open(t)
    const { heard } = record(channels)
    await channels.listen(['a'])
    channels.unlisten(['a'])
    const again = channels.listen(['a'])
    channels.unlisten(['b'])
    await again
    await publish(channels, 'a', '1')
    await until('heard', () => heard.length === 1)
    t.match(heard, [{ channel: 'a', offset: 1, data: '1' }])
  })

  t.test('property: a reader who follows the rules of positions never sees a hole, nor anything twice', async t => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ publish: fc.integer({ min: 1, max: 6 }) }) },
      { weight: 3, arbitrary: fc.record({ readUpTo: fc.integer({ min: 0, max: 9 }) }) },
      { weight: 1, arbitrary: fc.record({ lapseMs: fc.integer({ min: 1, max: 90_000 }) }) }
    )
    const { channels, lapse } = await open(t, { size: 5, lifeMs: 60_000 })
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async steps => {
        const name = `p${run++}`
        let published = 0
        // What a reader holds for the truth: every publication up to its position, since its last break.
        let position: Position | undefined
        for (const step of steps) {
          if ('publish' in step) {
            const many = Array.from({ length: step.publish }, () => publish(channels, name, `${++published}`))
            await Promise.all(many)
          } else if ('lapseMs' in step) await lapse(step.lapseMs)
          else {
            const { top, publications } = await channels.read(name, position, step.readUpTo)
            if (top.offset !== published) throw new Error(`the top is ${top.offset} after ${published} publications`)
            if (publications !== undefined && position !== undefined) {
              const expected = Array.from({ length: top.offset - position.offset }, (_, i) => ({
                offset: (position?.offset ?? 0) + 1 + i,
                data: `${(position?.offset ?? 0) + 1 + i}`
              }))
              const seen = publications.map(({ offset, data }) => ({ offset, data }))
              if (JSON.stringify(seen) !== JSON.stringify(expected)) throw new Error(`a hole: ${JSON.stringify(seen)}`)
            }
            position = top
          }
        }
      }),
      { numRuns: 40 }
    )
  })
}
