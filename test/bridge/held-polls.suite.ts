import type { Test } from 'tap'
import type { OpenStoreForTest } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { frame, longPoll, open, publish, startTwo, untilHeld, wrapExchange } from './harness.js'

/** Answers, acknowledgements and held polls (PROTOCOL §9.4 e to g). */
export function heldPollSuite(t: Test, openStore: OpenStoreForTest): void {
  t.test('(e) repeats frames until they are acknowledged; a lower ack has no effect', async t => {
    const wire = await open(await startTwo(t, openStore))
    const { frames, text } = await wire.exchange([
      frame(wire, { type: 'heartbeat' }),
      frame(wire, { type: 'heartbeat' })
    ])
    t.equal(frames.length, 3)
    const repeated = await wire.exchange([], { ack: 1, wait: 25 })
    t.same(repeated.text.split('\n').slice(0, 2), text.split('\n').slice(0, 2))
    t.match((await wire.exchange([], { ack: 2 })).frames, [{ seq: 3 }, { type: 'polled' }])
    t.match((await wire.exchange([], { ack: 1 })).frames, [{ seq: 3 }, { type: 'polled' }])
    t.match((await wire.exchange([], { ack: 3 })).frames, [{ type: 'polled' }])
  })

  t.test('(e) limits the size of an answer; the rest follows at once', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    await wire.ask({ type: 'subscribe', channel: 'c' })
    for (let i = 0; i < 12; i++) await publish(two.gateway, 'c', 'x'.repeat(30_000))
    const first = await wire.exchange([])
    t.ok(first.text.length <= 262_144, `${first.text.length} bytes`)
    t.match(first.polled, { more: true })
    const second = await wire.exchange([])
    t.match(second.polled, { more: false })
    t.equal(first.frames.length + second.frames.length, 12 + 2)
  })

  t.test('ends the session on an ack above the sent frames', async t => {
    const wire = await open(await startTwo(t, openStore))
    const answer = await wire.exchange([], { ack: 7 })
    t.equal(answer.status, 404)
    t.match(answer.frames, [{ type: 'error', code: 'SESSION_NOT_FOUND' }])
    t.notMatch(answer.text, /signature/)
  })

  t.test('(f) a long poll supersedes the held one, on another instance too', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    for (const url of [two.gateway.url, two.other.url]) {
      const older = longPoll(wire)
      await untilHeld(two.gateway, 1)
      const newer = longPoll(wire, { url })
      const answer = await older
      t.match(answer.frames, [{ type: 'polled', superseded: true, more: false }])
      await publish(two.gateway, `session:${wire.sessionId}`, 'hello')
      t.match((await newer).frames, [
        { type: 'publication', data: 'hello' },
        { type: 'polled', superseded: false }
      ])
    }
  })

  t.test('(f, g) an exchange without wait leaves a held poll held, and its answers do not wake it', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    const poll = longPoll(wire)
    await untilHeld(two.gateway, 1)
    for (const url of [two.gateway.url, two.other.url]) {
      const { frames } = await wire.exchange([frame(wire, { type: 'heartbeat' })], { url })
      t.match(frames, [{ type: 'heartbeat' }, { type: 'polled', superseded: false }])
      t.equal(two.gateway.app.heldPolls(), 1, 'still held')
    }
    await publish(two.gateway, `session:${wire.sessionId}`, 1)
    const woken = (await poll).frames.filter(({ type }) => type === 'publication')
    t.match(woken, [{ data: 1 }], 'other frames wake it')
  })

  t.test('bug: wakes a poll for a frame that arrives between the poll and its hold', async t => {
    const gate = { passed: 0, open: () => {} }
    const two = await startTwo(
      t,
      openStore,
      {},
      wrapExchange(async (request, next) => {
        const outcome = await next()
        // The outcome of the second long poll is delayed until the gate opens.
        if (request.isLongPoll && ++gate.passed === 2) {
          await new Promise<void>(resolve => Object.assign(gate, { open: resolve }))
        }
        return outcome
      })
    )
    const wire = await open(two)
    const older = longPoll(wire)
    await untilHeld(two.gateway, 1)
    const newer = longPoll(wire)
    await until('the second poll has arrived', () => gate.passed === 2)
    const newest = longPoll(wire)
    t.match((await older).polled, { superseded: true })
    gate.open()
    t.match((await newer).polled, { superseded: true }, 'superseded by the newest, which is held')
    await publish(two.gateway, `session:${wire.sessionId}`, 1)
    t.match((await newest).frames, [{ data: 1 }, { type: 'polled', superseded: false }])
  })

  t.test('(g) a channel subscribed to during a held poll wakes it', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    for (const [channel, url] of [
      ['here', two.gateway.url],
      ['there', two.other.url]
    ] as const) {
      const poll = longPoll(wire)
      await untilHeld(two.gateway, 1)
      await wire.exchange([frame(wire, { type: 'subscribe', channel })], { url })
      await publish(two.gateway, channel, channel)
      const { frames } = await poll
      t.match(
        frames.filter(({ type }) => type === 'publication'),
        [{ channel, data: channel }]
      )
    }
  })

  t.test('(g) sends frames that follow the first one shortly in the same answer', async t => {
    const two = await startTwo(t, openStore, { config: { lingerMs: 300 } })
    const wire = await open(two)
    const poll = longPoll(wire)
    await untilHeld(two.gateway, 1)
    for (const i of [1, 2, 3]) await publish(two.gateway, `session:${wire.sessionId}`, i)
    t.match((await poll).frames, [{ data: 1 }, { data: 2 }, { data: 3 }, { type: 'polled' }])
  })

  t.test('answers a poll at the end of its wait, and releases one whose client is gone', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    t.match((await wire.exchange([], { wait: 0.05 })).frames, [{ type: 'polled', superseded: false, more: false }])
    const away = new AbortController()
    const left = longPoll(wire, { signal: away.signal })
    left.catch(() => {})
    await untilHeld(two.gateway, 1)
    away.abort()
    await untilHeld(two.gateway, 0)
    await publish(two.gateway, `session:${wire.sessionId}`, 'kept')
    t.match((await longPoll(wire)).frames, [{ data: 'kept' }, { type: 'polled' }], 'nothing is lost')
  })
}
