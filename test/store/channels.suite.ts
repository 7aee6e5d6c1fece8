import fc from 'fast-check'
import type { Test } from 'tap'
import { idempotencyLifeMs, type Position, type StoredPublication } from '../../src/store/channels.js'
import { until } from '../helper/until.js'
import { type OpenChannelsForTest, publish, record } from './channel-helpers.js'

const offsetsOf = (publications: readonly StoredPublication[] | undefined) => publications?.map(({ offset }) => offset)

/** Channels, on each store. */
export function channelsSuite(t: Test, open: OpenChannelsForTest): void {
  t.test('numbers the publications of each channel from 1 under one epoch', async t => {
    const { channels } = await open(t)
    const first = await publish(channels, 'a', '1')
    t.match(first, { offset: 1, duplicate: false })
    t.ok(first.epoch.length > 0 && Buffer.byteLength(first.epoch) <= 64, 'within the wire limit')
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

  t.test('returns data unchanged, byte for byte', async t => {
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
    await until('all were received', () => heard.length === all.length)
    t.same(
      heard.map(({ channel, epoch, ...publication }) => publication),
      publications
    )
  })

  t.test('reads all publications after a position or none', async t => {
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
    t.same(await channels.read('a', undefined, 9), { top: { offset: 5, epoch } }, 'only the top was requested')
  })

  t.test('creates an unknown channel once', async t => {
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

  t.test('reads the tops of up to 1,000 channels in their order', async t => {
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

  t.test('bounds the history by size, and returns a break for older positions', async t => {
    const { channels } = await open(t, { size: 3, lifeMs: 60_000 })
    const { epoch } = await publish(channels, 'a', '1')
    for (let i = 2; i <= 5; i++) await publish(channels, 'a', `${i}`)
    t.equal((await channels.read('a', { offset: 1, epoch }, 99)).publications, undefined)
    t.same(offsetsOf((await channels.read('a', { offset: 2, epoch }, 99)).publications), [3, 4, 5])
    t.same((await channels.read('a', undefined, 0)).top, { offset: 5, epoch })
  })

  t.test('drops the history after its life, and continues the offsets', async t => {
    const { channels, lapse } = await open(t, { size: 99, lifeMs: 60_000 })
    const { epoch } = await publish(channels, 'a', '1')
    await lapse(40_000)
    await publish(channels, 'a', '2')
    await lapse(40_000)
    const read = async (offset: number) => offsetsOf((await channels.read('a', { offset, epoch }, 99)).publications)
    t.same(await read(0), [1, 2])
    await lapse(40_000)
    t.equal(await read(0), undefined)
    t.same(await read(2), [], 'a reader at the top misses nothing')
    t.match(await publish(channels, 'a', '3'), { offset: 3, epoch })
    t.equal(await read(1), undefined)
    t.same(await read(2), [3])
  })

  t.test('does not publish again for a repeated idempotency key', async t => {
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
    t.match(await publish(channels, 'b', '"y"', 'client\nkey'), { offset: 1, duplicate: false }, 'another channel')
    await lapse(idempotencyLifeMs - 10_000)
    t.match(await publish(channels, 'a', '"x"', 'client\nkey'), { offset: 1, duplicate: true })
    await lapse(20_000)
    t.match(await publish(channels, 'a', '"z"', 'client\nkey'), { offset: 4, duplicate: false }, 'forgotten')
    await until('the last was received', () => heard.at(-1)?.offset === 4)
    t.same(offsetsOf(heard), [1, 2, 3, 4])
  })

  t.test('publishes once for concurrent calls with one key on two instances', async t => {
    const { channels, another } = await open(t)
    const second = await another()
    const tries = Array.from({ length: 40 }, (_, i) => publish(i % 2 === 0 ? channels : second, 'a', '1', 'k'))
    const all = await Promise.all(tries)
    t.equal(all.filter(({ duplicate }) => !duplicate).length, 1)
    t.ok(all.every(({ offset }) => offset === 1))
  })

  t.test('delivers every publication of two instances in order, without a gap', async t => {
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
      await until(`all of ${name} were received`, () => of().at(-1)?.offset === top.offset)
      t.same(
        offsetsOf(of()),
        Array.from({ length: top.offset }, (_, i) => i + 1)
      )
      t.ok(of().every(({ epoch }) => epoch === top.epoch))
    }
    t.equal(heard.length, positions.length)
    t.equal(missed.count, before, 'no loss was reported')
  })

  t.test('delivers only the channels that are listened to', async t => {
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
    await until('the later publication', () => heard.some(({ channel }) => channel === 'fence'))
    t.notOk(heard.some(({ channel, offset }) => channel === 'a' && offset === 2))
    await channels.listen(['a'])
    await publish(second, 'a', '3')
    await until('received again', () => heard.some(({ channel, offset }) => channel === 'a' && offset === 3))
    t.ok(channels.isReceiving)
  })

  t.test('delivers a channel that was unlistened and listened to again at once', async t => {
    const { channels } = await open(t)
    const { heard } = record(channels)
    await channels.listen(['a'])
    channels.unlisten(['a'])
    const again = channels.listen(['a'])
    channels.unlisten(['b'])
    await again
    await publish(channels, 'a', '1')
    await until('received', () => heard.length === 1)
    t.match(heard, [{ channel: 'a', offset: 1, data: '1' }])
  })

  t.test('property: a reader that follows the rules of positions sees neither gaps nor repeats', async t => {
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
        // The reader has every publication since its last break up to this position.
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
              if (JSON.stringify(seen) !== JSON.stringify(expected)) throw new Error(`a gap: ${JSON.stringify(seen)}`)
            }
            position = top
          }
        }
      }),
      { numRuns: 40 }
    )
  })
}
