import t from 'tap'
import { presenceLifeMs } from '../../src/session/presence.js'
import { maxWaitingChanges, PresenceDelta, presenceChannelOf, subjectOf } from '../../src/session/presence-changes.js'

const who = (sessionId: string) => ({ sessionId, clientId: `client-of.${sessionId}` })

t.test('a session that joined and left in between is in neither list', async t => {
  const delta = new PresenceDelta()
  delta.join(who('a'))
  delta.leave(who('a'))
  delta.leave(who('b'))
  delta.join(who('b'))
  t.ok(delta.isEmpty)
  t.equal(delta.messageFor('c', 'own'), undefined)
  delta.join(who('a'))
  t.notOk(delta.isEmpty)
})

t.test('a message leaves out the session that gets it', async t => {
  const delta = new PresenceDelta()
  for (const id of ['own', 'a']) delta.join(who(id))
  delta.leave(who('b'))
  delta.count = 2
  t.same(delta.messageFor('c', 'own'), {
    ...{ type: 'presenceChanged', channel: 'c', count: 2 },
    joined: [who('a')],
    left: [who('b')]
  })
  const alone = new PresenceDelta()
  alone.join(who('own'))
  t.equal(alone.messageFor('c', 'own'), undefined)
})

t.test('an instance adds changes encoded by another one, the latest count last', async t => {
  const first = new PresenceDelta()
  for (const id of ['a', 'b']) first.join(who(id))
  const second = new PresenceDelta()
  second.leave(who('a'))
  const delta = new PresenceDelta()
  delta.add(first.encode(2))
  delta.add(second.encode(1))
  t.match(delta.messageFor('c', ''), { count: 1, joined: [who('b')], left: [] })
})

t.test('lists are bounded where they wait, and again where they are sent', async t => {
  const delta = new PresenceDelta()
  for (let i = 0; i < maxWaitingChanges + 10; i++) {
    delta.join(who(`j${i}`))
    delta.leave(who(`l${i}`))
  }
  delta.leave(who(`j${maxWaitingChanges}`))
  const message = delta.messageFor('c', '')
  t.same([message?.joined.length, message?.left.length], [100, 100])
  const { joined, left } = JSON.parse(delta.encode(1))
  t.same([joined.length, left.length], [100, 100])
  t.equal(delta.messageFor('c', 'j0')?.joined.length, 100)
})

t.test('no client can name the channel of changes', async t => {
  t.notMatch(presenceChannelOf('lobby'), /^[A-Za-z0-9_.:-]{1,128}$/)
  t.equal(subjectOf(presenceChannelOf('lobby')), 'lobby')
  t.equal(subjectOf('lobby'), undefined)
})

t.test('an entry outlives the heartbeat timeout by a moment, and lives a minute at most', async t => {
  t.equal(presenceLifeMs(45), 50_000)
  t.equal(presenceLifeMs(26), 31_000)
  t.equal(presenceLifeMs(3600), 60_000)
})

t.test('bug: a session whose own join came after those of others kept a count without itself', async t => {
  const delta = new PresenceDelta()
  delta.add(JSON.stringify({ count: 2, joined: [{ sessionId: 'own', clientId: 'c' }], left: [] }))
  t.equal(delta.messageFor('c', 'own'), undefined, 'it has heard of no count')
  t.equal(delta.messageFor('c', 'own', 2), undefined)
  t.same(delta.messageFor('c', 'own', 1), { type: 'presenceChanged', channel: 'c', count: 2, joined: [], left: [] })
})

t.test('bug: the correction of a count is sent, even if the last count of the session is unknown', async t => {
  const delta = new PresenceDelta()
  t.ok(delta.isEmpty)
  delta.add(new PresenceDelta().encode(3))
  t.notOk(delta.isEmpty)
  const message = { type: 'presenceChanged', channel: 'c', count: 3, joined: [], left: [] } as const
  t.same(delta.messageFor('c', 'own'), message)
  t.same(delta.messageFor('c', 'own', 4), message)
  t.equal(delta.messageFor('c', 'own', 3), undefined, 'it knows it already')
})
