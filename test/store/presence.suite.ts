import type { Test } from 'tap'
import { maxPresent, maxReportedChanges, type Presence } from '../../src/store/presence.js'
import type { OpenStoreForTest } from '../helper/stores.js'

/** Presence, on each store. */

const who = (sessionId: string, channel = 'c'): Presence => ({ channel, sessionId, clientId: `client-of.${sessionId}` })

export function presenceSuite(t: Test, openStore: OpenStoreForTest): void {
  const open = async (t: Test) => {
    const { store, another } = await openStore(t, Date.now)
    const { presence } = await another()
    return { here: store.presence, there: presence }
  }

  t.test('presence: every instance sees the entries of all', async t => {
    const { here, there } = await open(t)
    t.equal(await there.count('c', 0), 0)
    t.same(await there.list('c', '', 10, 0), [])
    const entries = [who('s3'), who('s1'), who('s2'), who('s9', 'd')].map(each => ({ ...each, deadline: 100 }))
    await here.touch(entries, 0)
    t.equal(await there.count('c', 0), 3)
    t.same(await there.list('c', '', 10, 0), [who('s1'), who('s2'), who('s3')])
    t.same(await there.list('d', '', 10, 0), [who('s9', 'd')])
    await there.leave([who('s1'), who('s9', 'd'), who('nobody'), who('s1', 'unknown')])
    t.same(await here.list('c', '', 10, 0), [who('s2'), who('s3')])
    t.equal(await here.count('c', 0), 2)
    t.equal(await here.count('d', 0), 0)
    await here.touch([], 0)
    await here.leave([])
  })

  t.test('presence: entries end by their deadline, which only moves forward', async t => {
    const { here, there } = await open(t)
    await here.touch([{ ...who('s1'), deadline: 100 }], 0)
    await there.touch([{ ...who('s2'), deadline: 200 }], 0)
    await there.touch([{ ...who('s2'), deadline: 150 }], 0)
    t.equal(await here.count('c', 99), 2)
    t.equal(await here.count('c', 100), 1, 'exactly at its deadline')
    t.same(await here.list('c', '', 10, 100), [who('s2')])
    t.same(await here.list('c', '', 10, 199), [who('s2')])
    t.equal(await here.count('c', 200), 0)
    t.same(await here.list('c', '', 10, 200), [])
    await here.touch([{ ...who('s1'), deadline: 300 }], 200)
    t.same(await there.list('c', '', 10, 200), [who('s1')], 'it exists again')
  })

  t.test('presence: lists pages in the order of session ids', async t => {
    const { here } = await open(t)
    const ids = ['a', 'a-', 'a-b', 'aB', 'a_', 'aa', 'b', 'B', '-', '_', '0']
    await here.touch(
      ids.map(id => ({ ...who(id), deadline: id === 'aa' ? 50 : 100 })),
      0
    )
    const sorted = ids.filter(id => id !== 'aa').sort()
    const seen: string[] = []
    for (let after: string | undefined = ''; after !== undefined; ) {
      const page = await here.list('c', after, 3, 60)
      t.ok(page.length <= 3)
      seen.push(...page.map(({ sessionId }) => sessionId))
      after = page.at(-1)?.sessionId
    }
    t.same(seen, sorted, 'each once; ended entries do not shorten a page')
    t.same((await here.list('c', 'a+', 2, 60)).length, 2, 'after an unknown id')
  })

  t.test('presence: touches and leaves many channels in one call', async t => {
    const { here, there } = await open(t)
    const channels = Array.from({ length: 450 }, (_, i) => `c${i}`)
    const all = channels.flatMap(channel => [who('s1', channel), who('s2', channel)])
    await here.touch(
      all.map(each => ({ ...each, deadline: 100 })),
      0
    )
    t.same(await Promise.all(channels.map(channel => there.count(channel, 0))), Array(450).fill(2))
    await here.leave(all)
    t.same(await Promise.all(channels.map(channel => there.count(channel, 0))), Array(450).fill(0))
  })

  t.test('presence: reports joins and leaves, once', async t => {
    const { here, there } = await open(t)
    const at = (id: string, deadline: number, channel = 'c') => ({ ...who(id, channel), deadline })
    const sorted = (list: readonly Presence[]) => [...list].sort((a, b) => (a.sessionId < b.sessionId ? -1 : 1))
    const first = await here.touch([at('s1', 100), at('s2', 200), at('s3', 100, 'd')], 0)
    t.same([sorted(first.joined), first.left], [[who('s1'), who('s2'), who('s3', 'd')], []])
    const again = await there.touch([at('s1', 110), at('s4', 200)], 0)
    t.same([again.joined, again.left], [[who('s4')], []])
    const left = await there.leave([who('s4'), who('nobody'), who('s1', 'unknown')])
    t.same([left.joined, left.left], [[], [who('s4')]])
    const before = await here.sweep(['c', 'unknown'], 109)
    t.same([before.joined, before.left], [[], []])
    const ended = await here.sweep(['c', 'd', 'unknown'], 110)
    t.same([ended.joined, sorted(ended.left)], [[], [who('s1'), who('s3', 'd')]])
    t.same(await there.list('c', '', 10, 0), [who('s2')])
    t.same((await here.sweep(['c', 'd'], 110)).left, [], 'once')
    t.same(await here.sweep([], 110), { joined: [], left: [] })
  })

  t.test('presence: reports a bounded number of changes', async t => {
    const { here } = await open(t)
    const many = Array.from({ length: maxReportedChanges + 50 }, (_, i) => who(`s${i}`))
    const entries = many.map(each => ({ ...each, deadline: 100 }))
    t.equal((await here.touch(entries, 0)).joined.length, maxReportedChanges)
    t.equal((await here.leave(many)).left.length, maxReportedChanges)
    t.equal(await here.count('c', 0), 0, 'all have left')
    await here.touch(entries, 0)
    t.equal((await here.sweep(['c'], 100)).left.length, maxReportedChanges)
    t.equal(await here.count('c', 0), 0)
  })

  t.test('presence: limits each channel, until entries end', async t => {
    const { here } = await open(t)
    const id = (i: number) => `s${String(i).padStart(6, '0')}`
    const entries = Array.from({ length: maxPresent + 1 }, (_, i) => ({
      ...who(id(i)),
      deadline: i < 1500 ? 100 : 900
    }))
    await here.touch(entries, 0)
    t.equal(await here.count('c', 0), maxPresent)
    await here.touch(
      [
        { ...who(id(2000)), deadline: 950 },
        { ...who('z'), deadline: 950 }
      ],
      0
    )
    t.same(await here.list('c', '', 10, 900), [who(id(2000))], 'present sessions stay; a new one is ignored')
    t.same(await here.list('c', '', 1, 100), [who(id(1500))], 'skips more ended entries than one read returns')
    await here.leave([who(id(2001))])
    await here.touch([{ ...who('z'), deadline: 950 }], 0)
    t.same(await here.list('c', '', 10, 900), [who(id(2000)), who('z')])
    await here.touch([{ ...who('y'), deadline: 950 }], 100)
    t.same(await here.list('c', '', 10, 900), [who(id(2000)), who('y'), who('z')], 'ended entries made room')
  })
}
