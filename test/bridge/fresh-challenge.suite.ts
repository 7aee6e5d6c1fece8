import type { Test } from 'tap'
import type { OpenStoreForTest } from '../helper/stores.js'
import { hmac } from '../helper/wire.js'
import { frame, open, permissions, startTwo } from './harness.js'

/** Fresh challenges on the bridge, where a message may arrive more than once (PROTOCOL §6.2, §9.4 b). */
export function freshChallengeSuite(t: Test, openStore: OpenStoreForTest): void {
  /** A session with its first fresh challenge, and the frame that answers it. */
  async function challenged(t: Test) {
    const two = await startTwo(t, openStore, { config: { freshChallengeMs: 20_000 } })
    const credential = await two.gateway.createClient(permissions)
    const wire = await open(two, credential)
    two.clock.advance(20_000)
    const { frames } = await wire.exchange([])
    const token = String(frames.find(({ type }) => type === 'challenge')?.['challengeToken'])
    const response = frame(wire, {
      type: 'challengeResponse',
      challengeToken: token,
      challengeSignature: hmac(credential.secret, token)
    })
    return { two, wire, response }
  }

  t.test('bug: a challengeResponse that was answered before counted as the response to a later challenge', async t => {
    const { two, wire, response } = await challenged(t)
    t.match((await wire.exchange([response])).frames, [{ type: 'ack' }, { type: 'polled' }])
    two.clock.advance(20_000)
    t.match((await wire.exchange([])).frames, [{ type: 'challenge' }, { type: 'polled' }])
    two.clock.advance(59_999)
    t.match(await wire.exchange([response]), { status: 200 }, 'the challenge is still open')
    two.clock.advance(1)
    const { poll } = wire
    t.match(await wire.exchange([response]), {
      status: 410,
      frames: [{ type: 'error', poll, code: 'HEARTBEAT_LOST' }]
    })
  })

  t.test('bug: messages with an old poll number kept a session alive that no fresh challenge reached', async t => {
    const two = await startTwo(t, openStore, { config: { freshChallengeMs: 20_000 } })
    const wire = await open(two)
    await wire.exchange([], { poll: 1 })
    const heartbeat = () => wire.exchange([frame(wire, { type: 'heartbeat' })], { poll: 1 })
    two.clock.advance(79_999)
    t.match(await heartbeat(), { status: 200, polled: { superseded: true } })
    two.clock.advance(1)
    t.match(await heartbeat(), { status: 410, frames: [{ code: 'HEARTBEAT_LOST' }] })
  })

  t.test('accepts a response whose first request was lost, and repeats of it', async t => {
    const { two, wire, response } = await challenged(t)
    two.clock.advance(59_000)
    t.match(await wire.exchange([response]), { status: 200 })
    t.match(await wire.exchange([response], { url: two.other.url }), { status: 200 })
  })
}
