import type { Test } from 'tap'
import type { OpenStoreForTest } from '../helper/stores.js'
import { frame, open, startTwo } from './harness.js'

/** Heartbeats, whose answers are committed with the exchange that brings them (PROTOCOL §9.4 c). */
export function heartbeatSuite(t: Test, openStore: OpenStoreForTest): void {
  t.test('(c) answers heartbeats once and in order, on instances in turn', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    for (const [i, { url }] of [two.gateway, two.other, two.other, two.gateway, two.other].entries()) {
      const seq = wire.seq
      const lines = Array.from({ length: 1 + (i % 2) }, () => frame(wire, { type: 'heartbeat' }))
      const { frames } = await wire.exchange(lines, { url })
      const wanted = lines.map((_, j) => ({ type: 'heartbeat', re: seq + j, seq: seq + j }))
      t.match(frames, [...wanted, { type: 'polled', more: false }])
    }
  })

  t.test('(c, e) answers a heartbeat whose answer was lost, on another instance', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    const beats = [frame(wire, { type: 'heartbeat' }), frame(wire, { type: 'heartbeat' })]
    const poll = () => wire.sign({ type: 'poll', poll: wire.poll++, ack: wire.ack, wait: 0 })
    const lost = await wire.post([...beats.slice(0, 1), poll()].join('\n'))
    t.match(lost.frames, [{ type: 'heartbeat', re: 2 }, { type: 'polled' }])
    const { frames, text } = await wire.post([...beats, poll()].join('\n'), { url: two.other.url })
    t.match(frames, [{ type: 'heartbeat', re: 2, seq: 2 }, { type: 'heartbeat', re: 3, seq: 3 }, { type: 'polled' }])
    t.equal(text.split('\n')[0], lost.text.split('\n')[0], 'byte for byte (rule e)')
  })

  t.test('(c) two exchanges with the same heartbeats answer them once', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    for (let round = 0; round < 5; round++) {
      const seq = wire.seq
      const beats = [frame(wire, { type: 'heartbeat' }), frame(wire, { type: 'heartbeat' })]
      const body = () => [...beats, wire.sign({ type: 'poll', poll: wire.poll++, ack: wire.ack, wait: 0 })].join('\n')
      const answers = await Promise.all([two.gateway, two.other].map(({ url }) => wire.post(body(), { url })))
      const heartbeats = new Set(
        answers.flatMap(({ text }) => text.split('\n').filter(line => line.includes('"type":"heartbeat"')))
      )
      t.equal(heartbeats.size, 2, 'whoever repeats an answer repeats its bytes')
      wire.ack = seq + 1
    }
    t.match((await wire.exchange([])).frames, [{ type: 'polled' }], 'nothing is left')
  })

  t.test('(c) answers a heartbeat beside a publication that is pending, in the order of their seqs', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    await wire.exchange([frame(wire, { type: 'subscribe', channel: 'c' })])
    await two.gateway.publish({ channel: 'c', data: 'pending' })
    const { frames } = await wire.exchange([frame(wire, { type: 'heartbeat' })])
    t.match(frames, [
      { type: 'heartbeat', seq: 3 },
      { type: 'publication', seq: 4, data: 'pending' },
      { type: 'polled' }
    ])
  })

  t.test('answers and counts a heartbeat once whose answer was made on an older state', async t => {
    const two = await startTwo(t, openStore)
    const wire = await open(two)
    await wire.exchange([], { url: two.other.url })
    // The second instance does not know of this answer, which the client has not acknowledged.
    const lost = frame(wire, { type: 'heartbeat' })
    await wire.post([lost, wire.sign({ type: 'poll', poll: wire.poll++, ack: wire.ack, wait: 0 })].join('\n'))
    const before = await heartbeatsOf(two.other.url)
    const { frames } = await wire.exchange([frame(wire, { type: 'heartbeat' })], { url: two.other.url })
    t.match(frames, [{ type: 'heartbeat', re: 2, seq: 2 }, { type: 'heartbeat', re: 3, seq: 3 }, { type: 'polled' }])
    two.clock.advance(2000)
    t.equal((await heartbeatsOf(two.other.url)) - before, 1)
  })
}

/** The heartbeats that a gateway has counted. */
async function heartbeatsOf(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^countersign_frames_received_total\{[^}]*type="heartbeat"[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0)
}
