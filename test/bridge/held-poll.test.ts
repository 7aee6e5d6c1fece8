import t from 'tap'
import { HeldPoll, HeldPollSlot, type WakeReason } from '../../src/bridge/held-poll.js'
import type { ChannelBroker } from '../../src/channels/types.js'

const terminalReasons: readonly WakeReason[] = ['superseded', 'ended', 'disconnected', 'draining']

t.test('keeps a reason that comes before the poll waits', async t => {
  const held = new HeldPoll(1)
  held.wake('frames')
  t.equal(await held.next(10_000), 'frames')
  t.equal(await held.next(1), 'timeout', 'each reason wakes once')
})

t.test('wakes a waiting poll', async t => {
  const held = new HeldPoll(1)
  const next = held.next(10_000)
  held.wake('publications')
  t.equal(await next, 'publications')
})

t.test('bug: a poll that publications woke forgot the frames that came right after them', async t => {
  const held = new HeldPoll(1)
  held.wake('publications')
  held.wake('call')
  held.wake('frames')
  t.equal(await held.next(10_000), 'call', 'it does all that the others do')
})

t.test('bug: a notification that came before the reply of the store was lost', async t => {
  const slot = new HeldPollSlot()
  slot.wake('frames')
  slot.beginExchange()
  t.equal(await slot.hold(1).next(1), 'timeout', 'the store shows what was there when it was asked')
  slot.beginExchange()
  slot.wake('call')
  slot.wake('publications')
  const held = slot.hold(2)
  t.equal(await held.next(10_000), 'call')
  t.equal(await held.next(1), 'timeout')
})

for (const reason of terminalReasons) {
  t.test(`lets ${reason} override other reasons, and stay`, async t => {
    const held = new HeldPoll(1)
    held.wake('frames')
    held.wake(reason)
    held.wake('publications')
    held.wake(reason === 'ended' ? 'superseded' : 'ended')
    t.ok(held.isTerminated)
    t.equal(await held.next(10_000), reason)
    t.equal(await held.next(10_000), reason)
  })
}

t.test('lingers for its time, or until a terminal reason', async t => {
  const held = new HeldPoll(1)
  await held.linger(0)
  const start = performance.now()
  const lingering = held.linger(60_000)
  held.wake('frames')
  held.wake('ended')
  await lingering
  await held.linger(60_000)
  t.ok(performance.now() - start < 30_000)
  t.equal(await held.next(10_000), 'ended')
})

t.test('watches the positions of its last call only, and none once released', async t => {
  const watched = new Map<string, () => void>()
  const channels = {
    watch(channel: string, _position: unknown, listener: () => void) {
      watched.set(channel, listener)
      return () => void watched.delete(channel)
    }
  } as unknown as ChannelBroker
  const held = new HeldPoll(1)
  t.notOk(held.isWaiting)
  held.watch(channels, new Map([['a', { offset: 1, epoch: 'e' }]]))
  t.ok(held.isWaiting)
  held.watch(channels, new Map([['b', { offset: 1, epoch: 'e' }]]))
  t.same([...watched.keys()], ['b'])
  watched.get('b')?.()
  t.equal(await held.next(10_000), 'publications')
  held.release()
  t.equal(watched.size, 0)
})

t.test('gives the slot to the newest poll', async t => {
  const slot = new HeldPollSlot()
  slot.wake('frames')
  const older = slot.hold(5)
  const newer = slot.hold(7)
  t.equal(await older.next(10_000), 'superseded')
  const late = slot.hold(6)
  t.equal(await late.next(10_000), 'superseded', 'a poll that arrives late does not take the slot of a newer one')
  slot.wake('frames')
  t.equal(await newer.next(10_000), 'frames')
  slot.release(older)
  t.ok(slot.isHolding, 'releasing another poll leaves the newest in place')
  slot.release(newer)
  t.notOk(slot.isHolding)
})
