import type { Test } from 'tap'
import type { ChannelPage, PageRequest } from '../../src/store/channels.js'
import { type OpenChannelsForTest, publish } from './channel-helpers.js'

const offsetsOf = ({ publications }: ChannelPage) => publications.map(({ offset }) => offset)
const large = { limit: 1000, maxBytes: 1_000_000 }

/** The newest publications of a channel, and the pages before them, on each store. */
export function channelPagesSuite(t: Test, open: OpenChannelsForTest): void {
  async function filled(t: Test, count: number, history?: Parameters<OpenChannelsForTest>[1]) {
    const { channels, lapse } = await open(t, history)
    let epoch = ''
    for (let i = 1; i <= count; i++) epoch = (await publish(channels, 'a', `"${i}"`)).epoch
    const page = (request: Partial<PageRequest>) => channels.newest('a', { ...large, ...request })
    return { channels, lapse, epoch, page }
  }

  t.test('reads the newest publications, oldest first', async t => {
    const { epoch, page } = await filled(t, 30)
    t.same(await page({ limit: 2 }), {
      top: { offset: 30, epoch },
      publications: [
        { offset: 29, data: '"29"', publishedAt: 1 },
        { offset: 30, data: '"30"', publishedAt: 1 }
      ],
      more: true
    })
    for (const limit of [7, 8, 9, 17, 29]) {
      const { publications, more } = await page({ limit })
      t.same([publications.length, publications[0]?.offset, more], [limit, 31 - limit, true])
    }
    t.match(await page({ limit: 30 }), { more: false })
    t.equal(offsetsOf(await page({})).length, 30)
  })

  t.test('reads the publications just before a position', async t => {
    const { epoch, page } = await filled(t, 12)
    const before = (offset: number, limit = 3, of = epoch) => page({ before: { offset, epoch: of }, limit })
    const pageOf = async (...of: Parameters<typeof before>) => {
      const found = await before(...of)
      return [offsetsOf(found), found.more]
    }
    t.same(await pageOf(10), [[7, 8, 9], true])
    t.same(await pageOf(4), [[1, 2, 3], false])
    t.same(await pageOf(2), [[1], false])
    t.same(await pageOf(1), [[], false])
    t.same(await pageOf(0), [[], false])
    t.same(await pageOf(13), [[10, 11, 12], true])
    t.same(await pageOf(Number.MAX_SAFE_INTEGER), [[10, 11, 12], true], 'above the top')
    t.same(await before(10, 3, 'another'), { top: { offset: 12, epoch }, publications: [], more: false })
  })

  t.test('pages follow each other without a gap or a repeat', async t => {
    const { epoch, page } = await filled(t, 40, { size: 33, lifeMs: 60_000 })
    const all: number[] = []
    for (let offset = 41, more = true; more; offset = all[0] ?? 0) {
      const found = await page({ before: { offset, epoch }, limit: 10 })
      all.unshift(...offsetsOf(found))
      more = found.more
    }
    t.same(
      all,
      Array.from({ length: 33 }, (_, i) => 8 + i),
      'all that are kept'
    )
  })

  t.test('bounds a page in bytes, and returns at least one publication', async t => {
    const { channels, page } = await filled(t, 0)
    for (const data of ['"ä"', '"bb"', `"${'c'.repeat(98)}"`, '"d"']) await publish(channels, 'a', data)
    t.same(offsetsOf(await page({ maxBytes: 2 })), [4])
    t.same(offsetsOf(await page({ maxBytes: 102 })), [4])
    t.same(offsetsOf(await page({ maxBytes: 103 })), [3, 4])
    t.same(offsetsOf(await page({ maxBytes: 110 })), [2, 3, 4])
    t.match(await page({ maxBytes: 110 }), { more: true })
    t.same(offsetsOf(await page({ maxBytes: 111 })), [1, 2, 3, 4], 'UTF-8 counts')
    t.match(await page({ maxBytes: 111 }), { more: false })
  })

  t.test('counts the data of an entry with owners alone', async t => {
    const { channels, page } = await filled(t, 0)
    for (let i = 0; i < 3; i++) {
      await channels.publish('a', '"1"', {
        publishedAt: 1_700_000_000_000,
        idempotencyKey: '',
        owners: 'client,tickets:t'
      })
    }
    t.equal(offsetsOf(await page({ maxBytes: 9 })).length, 3)
    t.equal(offsetsOf(await page({ maxBytes: 8 })).length, 2)
    t.match((await page({ limit: 1 })).publications, [{ owners: 'client,tickets:t' }])
  })

  t.test('an unknown channel is created, and a channel whose history has ended has an empty page', async t => {
    const { channels, lapse, epoch, page } = await filled(t, 3, { size: 99, lifeMs: 60_000 })
    const created = new Set<string>()
    const fresh = await channels.newest('new', large, created)
    t.same(fresh, { top: { offset: 0, epoch: fresh.top.epoch }, publications: [], more: false })
    t.same([...created], ['new'])
    await channels.newest('new', large, created)
    t.same((await channels.newest('new', large)).top, fresh.top)
    await lapse(70_000)
    t.same(await page({}), { top: { offset: 3, epoch }, publications: [], more: false })
    await publish(channels, 'a', '"4"')
    t.same(offsetsOf(await page({})), [4])
  })
}
