import type { Test } from 'tap'
import {
  type Dropped,
  maxAgedDrops,
  publishedLifeMs,
  type StoredPublication,
  sessionResultLifeMs,
  unpublishedLifeMs
} from '../../src/store/channels.js'
import { type OpenChannelsForTest, publish } from './channel-helpers.js'

const offsetsOf = (publications: readonly StoredPublication[] | undefined) => publications?.map(({ offset }) => offset)

/** Expiry of the parts of a channel, and its reports, on each store. */
export function channelLivesSuite(t: Test, open: OpenChannelsForTest): void {
  t.test('bug: an old publication stayed in a history as long as newer ones came', async t => {
    const { channels } = await open(t, { size: 99, lifeMs: 60_000 })
    const at = (publishedAt: number) => channels.publish('a', '"x"', { publishedAt, idempotencyKey: '' })
    const first = await at(1_000_000)
    if (first === 'conflict') throw new Error('conflict')
    const { epoch } = first
    const drops: Dropped[] = []
    channels.onDrop(dropped => void drops.push(dropped))
    const bytes = channels.bytesOf('"x"')
    await at(1_060_000)
    t.same(drops, [])
    await at(1_060_001)
    t.same(drops.splice(0), [{ owners: '', bytes, publishedAt: 1_000_000 }])
    t.equal((await channels.read('a', { offset: 0, epoch }, 99)).publications, undefined)
    t.same(offsetsOf((await channels.read('a', { offset: 1, epoch }, 99)).publications), [2, 3])
    for (let i = 0; i < maxAgedDrops + 10; i++) await at(1_060_001)
    t.same(drops.splice(0), [])
    await at(1_200_000)
    t.equal(drops.splice(0).length, maxAgedDrops, 'a bounded number at once')
    await at(1_200_000)
    t.same(drops.slice(11), [{ owners: '', bytes, publishedAt: 1_060_001 }])
    t.same(offsetsOf((await channels.read('a', { offset: maxAgedDrops + 13, epoch }, 99)).publications)?.length, 2)
  })

  t.test('reports publications dropped because there were too many', async t => {
    const { channels } = await open(t, { size: 2, lifeMs: 60_000 })
    const drops: Dropped[] = []
    channels.onDrop(dropped => void drops.push(dropped))
    const as = (owners: string, data: string, publishedAt: number) =>
      channels.publish('a', data, { publishedAt, idempotencyKey: '', owners })
    const longest = `${'z'.repeat(64)},tickets:tok_${'0'.repeat(32)}`
    await as(longest, '"1"', 1_700_000_000_123)
    await as('b', '"22"', 1_700_000_000_124)
    await as('c', '"3"', 1_700_000_000_125)
    const bytes = channels.bytesOf('"1"', longest)
    t.ok(bytes >= channels.bytesOf('"1"') + longest.length, 'owners are counted')
    t.same(drops.splice(0), [{ owners: longest, bytes, publishedAt: 1_700_000_000_123 }])
    await as('', '"4"', 1_700_000_000_126)
    t.same(drops, [{ owners: 'b', bytes: channels.bytesOf('"22"', 'b'), publishedAt: 1_700_000_000_124 }])
  })

  t.test('bug: a channel that was only joined was kept for a day', async t => {
    const { channels, lapse } = await open(t)
    const { epoch } = await publish(channels, 'published', '1')
    const [joined] = await channels.tops(['joined'])
    await lapse(unpublishedLifeMs - 60_000)
    t.same(await channels.tops(['joined']), [joined], 'a use renews its life')
    await lapse(unpublishedLifeMs - 60_000)
    t.equal(await channels.exists('joined'), true)
    await lapse(120_000)
    channels.removeExpired()
    t.equal(await channels.exists('joined'), false)
    t.match((await channels.tops(['published']))[0], { offset: 1, epoch })
    await lapse(publishedLifeMs + 60_000)
    channels.removeExpired()
    t.equal(await channels.exists('published'), false)
    const [again] = await channels.tops(['published'])
    t.not(again?.epoch, epoch)
  })

  t.test('keeps a channel longer than its history', async t => {
    const lifeMs = 2 * publishedLifeMs
    const { channels, lapse } = await open(t, { size: 9, lifeMs })
    const { epoch } = await publish(channels, 'a', '1')
    await lapse(lifeMs - 60_000)
    channels.removeExpired()
    t.same(offsetsOf((await channels.read('a', { offset: 0, epoch }, 9)).publications), [1])
  })

  t.test('reports which channels a call created', async t => {
    const { channels } = await open(t)
    await publish(channels, 'known', '1')
    const created = new Set<string>()
    await channels.tops(['known', 'new'], created)
    await channels.read('newer', undefined, 0, created)
    await channels.read('newer', undefined, 0, created)
    t.same([...created].sort(), ['new', 'newer'])
    created.clear()
    await channels.tops(['known', 'new', 'newer'], created)
    t.equal(created.size, 0)
  })

  t.test('keeps the result of a message of a bridge session for a minute', async t => {
    const { channels, lapse } = await open(t)
    const options = { publishedAt: 1, idempotencyKey: 's:1:2', sessionId: '1' }
    const first = await channels.publish('a', '1', options)
    t.match(await channels.findRepeat('a', '1', options), { offset: 1, duplicate: true })
    t.equal(await channels.findRepeat('a', '2', options), 'conflict')
    t.equal(await channels.findRepeat('b', '1', options), undefined)
    await lapse(30_000)
    t.match(await channels.publish('a', '1', options), { ...(first as object), duplicate: true })
    await lapse(sessionResultLifeMs)
    t.match(await channels.publish('a', '1', options), { offset: 2, duplicate: false })
  })
}
