import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { ChannelPresenceNotifier } from '../../src/cluster/presence-notifier.js'
import type { PresenceWatcher } from '../../src/session/presence.js'
import { PresenceDelta, presenceChannelOf } from '../../src/session/presence-changes.js'
import { StoreUnavailable } from '../../src/store/store.js'

const name = presenceChannelOf('c')

function start() {
  let at = 1_000_000
  const calls: string[] = []
  const watched: string[] = []
  const state = { isAway: false, gate: Promise.resolve() }
  const notifier = new ChannelPresenceNotifier({
    channels: {
      async join(_subscriber, channel) {
        calls.push(`join ${channel}`)
        await state.gate
        if (state.isAway) throw new StoreUnavailable()
        return { position: { offset: 0, epoch: 'e' }, recovered: false, publications: [] }
      },
      release: (_subscriber, channel) => void calls.push(`release ${channel}`),
      leave: (_subscriber, channel) => calls.push(`leave ${channel}`) > 0
    },
    presence: { watched: channel => void watched.push(channel) },
    log: { debug() {} },
    now: () => at
  })
  const received: [string, readonly string[], readonly string[]][] = []
  const watcher = (sessionId: string): PresenceWatcher => ({
    sessionId,
    presenceChanged: ({ joined, left }) =>
      void received.push([sessionId, joined.map(each => each.sessionId), left.map(each => each.sessionId)])
  })
  function announce(count: number, ...joined: string[]): void {
    const delta = new PresenceDelta()
    for (const sessionId of joined) delta.join({ sessionId, clientId: 'c' })
    notifier.publication(name, 'e', { offset: 1, data: delta.encode(count), publishedAt: 0 })
  }
  const change = (...joined: string[]) => announce(joined.length, ...joined)
  const pass = (ms: number) => {
    at += ms
    notifier.tick()
  }
  return { notifier, calls, watched, state, received, watcher, announce, change, pass }
}

t.test('joins the changes of a channel once for all watchers, and leaves with the last', async t => {
  const { notifier, calls, received, watcher, change } = start()
  const [a, b] = [watcher('a'), watcher('b')]
  await Promise.all([notifier.watch('c', a), notifier.watch('c', b)])
  t.same(calls, [`join ${name}`, `release ${name}`])
  notifier.release('c', a)
  change('x')
  t.same(received.splice(0), [['a', ['x'], []]], 'nothing before the release')
  notifier.unwatch('c', a)
  notifier.unwatch('c', a)
  t.equal(calls.length, 2)
  notifier.unwatch('c', b)
  t.same(calls.slice(2), [`leave ${name}`])
  change('y')
  t.same(received, [])
})

t.test('sends at most once a second, and omits a session’s own changes', async t => {
  const { notifier, received, watcher, change, pass } = start()
  for (const id of ['a', 'b']) {
    const each = watcher(id)
    await notifier.watch('c', each)
    notifier.release('c', each)
  }
  change('a')
  t.same(received.splice(0), [['b', ['a'], []]])
  change('x')
  pass(900)
  change('y')
  t.same(received, [])
  pass(100)
  t.same(received.splice(0), [
    ['a', ['x', 'y'], []],
    ['b', ['x', 'y'], []]
  ])
  pass(2000)
  t.same(received, [], 'nothing changed')
})

t.test('bug: a count that a late own join had made wrong stayed until the next change of others', async t => {
  const { notifier, received, watcher, announce, pass } = start()
  for (const id of ['a', 'b']) {
    const each = watcher(id)
    await notifier.watch('c', each)
    notifier.release('c', each)
  }
  announce(1, 'x')
  t.same(received.splice(0), [
    ['a', ['x'], []],
    ['b', ['x'], []]
  ])
  announce(2, 'a')
  pass(1000)
  t.same(received.splice(0), [
    ['a', [], []],
    ['b', ['a'], []]
  ])
  announce(2, 'a')
  pass(1000)
  t.same(received.splice(0), [['b', ['a'], []]], 'its count is right')
})

t.test('a channel that cannot be joined is not watched', async t => {
  const { notifier, calls, state, watcher, pass } = start()
  state.isAway = true
  await t.rejects(notifier.watch('c', watcher('a')), StoreUnavailable)
  t.same(calls, [`join ${name}`, `leave ${name}`])
  pass(1000)
  t.equal(calls.length, 2)
})

t.test('joins lost channels again', async t => {
  const { notifier, calls, watched, state, watcher, pass } = start()
  await notifier.watch('c', watcher('a'))
  notifier.lost(name)
  notifier.lost(presenceChannelOf('unknown'))
  state.isAway = true
  pass(1000)
  await setImmediate()
  state.isAway = false
  pass(1000)
  await setImmediate()
  pass(1000)
  t.same(calls.slice(2), [`join ${name}`, `join ${name}`, `release ${name}`])
  t.ok(watched.length >= 4, 'the tracker learns of it with each tick')
})

t.test('a watcher that leaves while the channel is joined leaves nothing behind', async t => {
  const { notifier, calls, state, received, watcher, change } = start()
  let open = () => {}
  state.gate = new Promise(resolve => {
    open = resolve
  })
  const [a, b] = [watcher('a'), watcher('b')]
  const watching = notifier.watch('c', a)
  notifier.unwatch('c', a)
  const again = notifier.watch('c', b)
  open()
  await Promise.all([watching, again])
  notifier.release('c', b)
  change('x')
  t.same(received, [['b', ['x'], []]])
  t.same(calls, [`join ${name}`, `release ${name}`])
})
