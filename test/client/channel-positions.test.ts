import t from 'tap'
import { maxBuffered } from '../../src/client/channel-handler.js'
import { createChannels, wantedNothing } from './client-channels.js'

/** The positions of a client in its channels (PROTOCOL §10.3, §10.4), without a connection. */

t.test('delivers the next publication, drops an old one, recovers a gap', async t => {
  const { sent, events, got, publication, subscribed, subscribe } = createChannels()
  subscribe()
  t.same(sent, [{ type: 'subscribe', channel: 'c' }])
  subscribed(4)
  for (const offset of [4, 5, 5, 3, 6]) publication(offset)
  t.same(got, [5, 6])
  publication(8)
  publication(9)
  t.same(sent.slice(1), [{ type: 'subscribe', channel: 'c', recover: { offset: 6, epoch: 'e' } }])
  t.same(got, [5, 6], 'buffered until the answer')
  subscribed(8, true, [7, 8])
  publication(10)
  t.same(got, [5, 6, 7, 8, 9, 10])
  t.same(
    events.map(([name]) => name),
    ['subscribed', 'subscribed']
  )
})

t.test('accepts recovered publications that follow `subscribed`', async t => {
  const { got, publication, subscribed, subscribe } = createChannels()
  subscribe()
  subscribed(1)
  publication(5)
  subscribed(2, true, [2])
  for (const offset of [3, 4, 5, 6]) publication(offset)
  t.same(got, [2, 3, 4, 5, 6])
})

t.test('reports missed publications after a change of epoch', async t => {
  const { sent, events, got, publication, subscribed, subscribe } = createChannels()
  const subscription = subscribe()
  subscribed(3)
  publication(1, 'new')
  t.match(sent.at(-1), { recover: { offset: 3, epoch: 'e' } })
  subscribed(1, false, [], 'new')
  t.same(events.slice(1), [
    ['subscribed', { channel: 'c', offset: 1, epoch: 'new', recovered: false }],
    ['missed', { channel: 'c' }]
  ])
  publication(2, 'new')
  t.same(got, [2])
  t.same(subscription.position, { offset: 2, epoch: 'new' })
})

t.test('joins all channels in a new session, from their positions', async t => {
  const { channels, sent, got, state, publication, subscribed, subscribe, welcome } = createChannels()
  state.connected = false
  const subscription = subscribe()
  t.same(sent, [])
  state.connected = true
  channels.restart(welcome)
  subscribed(7)
  channels.restart(welcome)
  t.same(sent, [
    { type: 'subscribe', channel: 'c' },
    { type: 'subscribe', channel: 'c', recover: { offset: 7, epoch: 'e' } }
  ])
  subscribed(8, true, [8])
  t.same(got, [8])
  subscription.unsubscribe()
  subscription.unsubscribe()
  t.same(sent.slice(2), [{ type: 'unsubscribe', channel: 'c' }])
  publication(9)
  channels.restart(welcome)
  t.same(got, [8])
  t.equal(sent.length, 3)
})

t.test('ignores the answer to an earlier subscribe', async t => {
  const { channels, sent, got, publication, subscribe, subscribed } = createChannels()
  subscribe().unsubscribe()
  subscribe()
  const answer = { type: 'subscribed' as const, seq: 1, channel: 'c', offset: 4, epoch: 'e', recovered: false }
  channels.receive({ ...answer, re: 1 })
  publication(5)
  t.equal(sent.length, 3)
  subscribed(5)
  publication(6)
  t.same(got, [6])
})

t.test('repeats a subscribe after a temporary refusal only', async t => {
  const { channels, sent, events, delays, subscribe, subscribed, refused, publication, got } = createChannels()
  subscribe()
  t.notOk(refused(99, 'UNAVAILABLE'), 'an answer to another request')
  t.notOk(refused(undefined, 'UNAVAILABLE'))
  t.ok(refused(1, 'UNAVAILABLE', 700))
  t.ok(!refused(1, 'UNAVAILABLE'))
  channels.joinPending()
  t.ok(refused(2, 'RATE_LIMITED'))
  t.same(delays, [700, 1000])
  channels.joinPending()
  subscribed(1)
  channels.receive({ type: 'unsubscribed', seq: 1, channel: 'c', code: 'INSUFFICIENT_STATE' })
  t.match(sent.at(-1), { type: 'subscribe', recover: { offset: 1, epoch: 'e' } })
  publication(3)
  subscribed(2, true, [2])
  t.same(got, [2, 3])
  channels.receive({ type: 'unsubscribed', seq: 1, channel: 'c', code: 'PERMISSION_DENIED' })
  channels.receive({ type: 'unsubscribed', seq: 1, channel: 'c', code: 'PERMISSION_DENIED' })
  t.same(events.at(-1), ['unsubscribed', { channel: 'c', code: 'PERMISSION_DENIED' }])
  const count = sent.length
  channels.joinPending()
  t.equal(sent.length, count)
  subscribe()
  t.ok(refused(sent.length, 'INVALID_CHANNEL'))
  t.same(events.filter(([name]) => name === 'unsubscribed').length, 2)
})

t.test('bounds the buffer, and recovers the publications that it drops', async t => {
  const { sent, got, publication, subscribed, subscribe } = createChannels()
  subscribe()
  subscribed(0)
  for (let i = 2; i <= maxBuffered + 5; i++) publication(i)
  subscribed(1, true, [1])
  t.equal(got.length, maxBuffered + 1)
  publication(maxBuffered + 6)
  t.match(sent.at(-1), { recover: { offset: maxBuffered + 1 } })
})

t.test('lets a handler unsubscribe during a delivery', async t => {
  const { channels, subscribed, sent } = createChannels()
  const got: number[] = []
  const subscription = channels.subscribe(
    'c',
    ({ offset }) => {
      got.push(offset)
      subscription.unsubscribe()
    },
    { ...wantedNothing, recover: { offset: 0, epoch: 'e' } }
  )
  subscribed(2, true, [1, 2])
  t.same(got, [1])
  t.equal(sent.length, 2)
})

t.test('joins with the newest publications, once', async t => {
  const { channels, sent, got, publication, subscribed, subscribe, welcome, events } = createChannels()
  const { ready } = subscribe({ last: 2 })
  t.same(sent, [{ type: 'subscribe', channel: 'c', last: 2 }])
  channels.restart(welcome)
  t.same(sent.at(-1), { type: 'subscribe', channel: 'c', last: 2 }, 'again in the next session, without an answer')
  publication(4)
  subscribed(4, false, [3, 4])
  t.match(await ready, { offset: 4, recovered: false })
  publication(5)
  t.same(got, [3, 4, 5])
  channels.restart(welcome)
  t.same(sent.at(-1), { type: 'subscribe', channel: 'c', recover: { offset: 5, epoch: 'e' } })
  t.same(
    events.map(([name]) => name),
    ['subscribed']
  )
})

t.test('a handler of a joined channel gets the newest publications, and the others miss no publication', async t => {
  const { sent, got, publication, subscribed, subscribe } = createChannels()
  subscribe()
  subscribed(4)
  const newest: number[] = []
  subscribe({ last: 2 }, newest)
  t.same(sent.at(-1), { type: 'subscribe', channel: 'c', last: 2 })
  publication(5)
  subscribed(7, false, [6, 7])
  t.same(newest, [6, 7])
  t.same(
    sent.at(-1),
    { type: 'subscribe', channel: 'c', recover: { offset: 5, epoch: 'e' } },
    'the gateway goes on at 8'
  )
  publication(8)
  subscribed(7, true, [6, 7])
  t.same(
    [got, newest],
    [
      [5, 6, 7, 8],
      [6, 7, 8]
    ]
  )
})

t.test('only the handler that asked for the newest publications is refused', async t => {
  const { sent, got, publication, subscribed, refused, subscribe, denied } = createChannels()
  subscribe()
  subscribed(4)
  const { ready } = subscribe({ last: 2 }, [])
  refused(sent.length, 'INVALID_MESSAGE')
  await t.rejects(ready, { code: 'INVALID_MESSAGE' })
  t.same(denied, ['INVALID_MESSAGE for channel c: m'])
  publication(5)
  t.same(got, [5])
})

t.test('a handler that recovers and one that wants the newest publications share a channel', async t => {
  const { channels, sent, got, publication, subscribed, subscribe, welcome, state } = createChannels()
  state.connected = false
  const newest: number[] = []
  subscribe({ last: 1 }, newest)
  subscribe({ recover: { offset: 2, epoch: 'e' } })
  state.connected = true
  channels.restart(welcome)
  t.same(sent, [{ type: 'subscribe', channel: 'c', recover: { offset: 2, epoch: 'e' } }])
  subscribed(4, true, [3, 4])
  t.same(sent.at(-1), { type: 'subscribe', channel: 'c', last: 1 })
  subscribed(4, false, [4])
  publication(5)
  t.same(
    [got, newest],
    [
      [3, 4, 5],
      [4, 5]
    ]
  )
})

t.test('asks for presence as long as a handler wants it', async t => {
  const { channels, sent, got, publication, subscribed, subscribe, welcome } = createChannels()
  subscribe()
  subscribed(4)
  const counts: number[] = []
  const watching = subscribe({ presence: true, onPresence: ({ count }) => counts.push(count) }, [])
  const recover = { offset: 4, epoch: 'e' }
  t.same(sent.at(-1), { type: 'subscribe', channel: 'c', recover, presence: true }, 'on a joined channel')
  publication(5)
  subscribed(5, true, [5])
  channels.receive({ type: 'presenceChanged', seq: 1, channel: 'c', count: 3, joined: [], left: [] })
  t.same(counts, [3])
  subscribe({ last: 1 }, [])
  t.same(sent.at(-1), { type: 'subscribe', channel: 'c', last: 1, presence: true }, 'another subscribe keeps it')
  subscribed(5, false, [5])
  channels.restart(welcome)
  t.match(sent.at(-1), { recover: { offset: 5 }, presence: true }, 'in the next session')
  subscribed(5, true)
  watching.unsubscribe()
  t.same(sent.at(-1), { type: 'subscribe', channel: 'c', recover: { offset: 5, epoch: 'e' } }, 'switches it off')
  subscribed(5, true)
  publication(6)
  t.same(got, [5, 6])
})

t.test('a refused presence costs no other handler its channel', async t => {
  const { sent, got, publication, subscribed, refused, subscribe } = createChannels()
  const { ready } = subscribe({ presence: true }, [])
  subscribe()
  refused(sent.length, 'PERMISSION_DENIED')
  await t.rejects(ready, { code: 'PERMISSION_DENIED' })
  t.same(sent.at(-1), { type: 'subscribe', channel: 'c' }, 'the others join without it')
  subscribed(4)
  const late = subscribe({ presence: true }, [])
  refused(sent.length, 'PERMISSION_DENIED')
  await t.rejects(late.ready, { code: 'PERMISSION_DENIED' })
  publication(5)
  t.same(got, [5])
})
