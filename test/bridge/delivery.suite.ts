import type { Test } from 'tap'
import { createClaimSealer, plainClaims } from '../../src/bridge/claim-sealer.js'
import type { Store } from '../../src/store/store.js'
import type { OpenStoreForTest } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { frame, longPoll, open, startTwo, stuckStore, untilHeld } from './harness.js'

async function epochOf(store: Store, channel: string): Promise<string> {
  return (await store.channels.read(channel, undefined, 1)).top.epoch
}

/** Messages run once and in order, on whichever instance (PROTOCOL §9.4 b to d). */
export function deliverySuite(t: Test, openStore: OpenStoreForTest): void {
  t.test('(b) runs a message once, and refuses one that skips a seq', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    await wire.ask({ type: 'subscribe', channel: 'c' })
    const first = frame(wire, { type: 'publish', channel: 'c', data: 1 })
    const second = frame(wire, { type: 'publish', channel: 'c', data: 2 })
    await wire.exchange([first])
    const again = await wire.exchange([first, second])
    t.match(again.polled, { type: 'polled', superseded: false })
    const third = frame(wire, { type: 'publish', channel: 'c', data: 3 })
    const fourth = frame(wire, { type: 'publish', channel: 'c', data: 4 })
    const skipping = await wire.post([fourth, wire.sign({ type: 'poll', poll: wire.poll, ack: 1, wait: 0 })].join('\n'))
    t.equal(skipping.status, 409)
    t.match(skipping.frames, [{ type: 'error', code: 'SEQUENCE_INVALID', poll: wire.poll, expectedSeq: wire.seq - 2 }])
    await wire.exchange([third, fourth], { url: two.other.url })
    const { publications } = await two.store.channels.read('c', { offset: 0, epoch: await epochOf(two.store, 'c') }, 99)
    t.same(
      publications?.map(({ data }) => data),
      ['1', '2', '3', '4']
    )
  })

  t.test('(b, f) runs the messages of an old poll number and answers with `polled` alone', async t => {
    const wire = await open(await startTwo(t, openStore))
    await wire.exchange([], { poll: 5 })
    wire.poll = 6
    const beat = frame(wire, { type: 'heartbeat' })
    const old = await wire.exchange([beat], { poll: 5 })
    t.match(old.frames, [{ type: 'polled', re: 5, more: false, superseded: true }])
    t.match((await wire.exchange([])).frames, [{ type: 'heartbeat', re: 2 }, { type: 'polled' }])
    const stale = await wire.exchange([beat], { poll: 5, ack: 99 })
    t.match(stale.frames, [{ type: 'polled', superseded: true }], 'its ack is ignored')
  })

  t.test('bug: an old poll number with a `bye` was answered 410 by one store and 200 by the other', async t => {
    const two = await startTwo(t, openStore)
    for (const [i, url] of [two.gateway.url, two.other.url].entries()) {
      const wire = await open(two)
      await wire.exchange([], { poll: 6 })
      wire.poll = 7
      const lines = [frame(wire, { type: 'publish', channel: 'c', data: i }), frame(wire, { type: 'bye' })]
      const { status, frames } = await wire.exchange(lines, { poll: 3, url })
      t.match([status, frames], [200, [{ type: 'polled', re: 3, more: false, superseded: true }]])
      t.equal(frames.length, 1)
      t.equal((await two.store.channels.read('c', undefined, 1)).top.offset, i + 1, 'the publish ran')
      await until('the session has ended', async () => (await wire.exchange([])).status === 410)
    }
  })

  t.test('(c) answers repeated messages on another instance after a lost answer', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    const lines = [frame(wire, { type: 'publish', channel: 'c', data: 'once' }), frame(wire, { type: 'heartbeat' })]
    const poll = (wait = 0) => wire.sign({ type: 'poll', poll: wire.poll++, ack: wire.ack, wait })
    const lost = await wire.post([...lines, poll()].join('\n'))
    const repeated = await wire.post([...lines, poll()].join('\n'), { url: two.other.url })
    t.match(repeated.frames, [{ type: 'published', offset: 1 }, { type: 'heartbeat' }, { type: 'polled' }])
    t.same(repeated.text.split('\n').slice(0, 2), lost.text.split('\n').slice(0, 2), 'byte for byte (rule e)')
    t.equal((await two.store.channels.read('c', undefined, 1)).top.offset, 1, 'run once')
  })

  t.test('(c, d) sends a late answer with a later poll, wakes a held poll, and keeps the order', async t => {
    const gate = { open: () => {}, calls: 0 }
    const two = await startTwo(t, openStore, { bridgeAnswerWithinMs: 50 }, stuckStore(gate))
    const wire = await open(two)
    const slow = frame(wire, { type: 'publish', channel: 'stuck', data: 1 })
    const early = await wire.exchange([slow])
    t.match(early.frames, [{ type: 'polled', superseded: false }], 'without its answer')
    const behind = frame(wire, { type: 'heartbeat' })
    const still = await wire.exchange([slow, behind], { url: two.other.url })
    t.match(still.frames, [{ type: 'polled' }], 'later messages wait for it')
    const poll = longPoll(wire)
    await untilHeld(two.gateway, 1)
    gate.open()
    const { frames } = await poll
    t.match(frames[0], { type: 'published', re: 2 })
    if (frames.length < 3) t.match((await longPoll(wire)).frames[0], { type: 'heartbeat', re: 3 })
    else t.match(frames[1], { type: 'heartbeat', re: 3 })
    t.equal(gate.calls, 1)
  })

  t.test('(c) runs the messages of a dead instance on another, under the same key', async t => {
    const gate = { open: () => {}, calls: 0 }
    const two = await startTwo(t, openStore, { bridgeAnswerWithinMs: 50 }, stuckStore(gate))
    if (two.other === two.gateway) {
      t.pass('one process has no other instance')
      return
    }
    const wire = await open(two)
    const lines = [
      frame(wire, { type: 'publish', channel: 'stuck', data: 'first' }),
      frame(wire, { type: 'publish', channel: 'c', data: 'second' })
    ]
    t.match((await wire.exchange(lines)).frames, [{ type: 'polled' }])
    // The first instance sends no heartbeat: it has not been ticked.
    const { frames } = await wire.exchange([], { url: two.other.url, wait: 25 })
    const answers = frames.length > 2 ? frames : [...frames, ...(await longPoll(wire, { url: two.other.url })).frames]
    t.match(
      answers.filter(({ type }) => type !== 'polled'),
      [
        { type: 'published', channel: 'stuck', offset: 1 },
        { type: 'published', channel: 'c', offset: 1 }
      ]
    )
    // The dead instance returns and finishes: it is fenced, and its effect has already happened.
    gate.open()
    await until('it has tried', async () => gate.calls >= 1)
    t.match((await wire.exchange([])).frames, [{ type: 'polled', more: false }], 'no second answer')
    t.equal((await two.store.channels.read('stuck', undefined, 1)).top.offset, 1, 'no second effect')
  })
  t.test('bug: a stale poll was not counted on an instance that had not served the session', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    await wire.exchange([], { poll: 5 })
    await two.gateway.app.tick()
    await wire.exchange([], { poll: 5, url: two.other.url })
    await two.other.app.tick()
    await two.other.app.tick()
    const counted = (await two.store.sessions.top(99)).find(({ sessionId }) => sessionId === wire.sessionId)
    t.equal(counted?.counts.frames, 2)
  })

  t.test('bug: claims of a dead instance did not run in the order of all seqs', async t => {
    const two = await startTwo(t, openStore, { bridgeAnswerWithinMs: 50 })
    const wire = await open(two)
    const { sessionId, keys } = wire
    const { client: clientKey, server: serverKey } = keys
    const claims = two.store.kind === 'redis' ? createClaimSealer(sessionId, { clientKey, serverKey }) : plainClaims
    const seqs = [2, 3, 4, 5]
    for (const seq of seqs) {
      const text = claims.seal(seq, JSON.stringify({ type: 'publish', seq, channel: 'order', data: seq }))
      await two.store.bridge.exchange({
        ...{ sessionId, instanceId: seq === 3 ? 'dead-2' : 'dead-1', poll: seq, ack: 1, isLongPoll: false },
        ...{ messages: [{ seq, text }], answerBytes: 1000, perSecond: 0 }
      })
    }
    wire.poll = 6
    const answered: unknown[] = []
    while (answered.length < seqs.length) {
      const { frames } = await longPoll(wire)
      answered.push(...frames.filter(({ type }) => type === 'published').map(({ re }) => re))
    }
    t.same(answered, seqs)
    const { publications } = await two.store.channels.read(
      'order',
      { offset: 0, epoch: await epochOf(two.store, 'order') },
      99
    )
    t.same(
      publications?.map(({ data }) => data),
      seqs.map(String)
    )
  })
}
