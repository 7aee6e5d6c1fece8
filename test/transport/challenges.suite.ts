import type { Test } from 'tap'
import type { Config } from '../../src/config/load.js'
import type { Store } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import type { TransportHarness } from './harness.js'

interface Recording {
  readonly forgets?: boolean
  readonly config?: Partial<Config>
}

/** Challenges, which are not stored: only their use is (SECURITY.md). */
export function challengeSuite(t: Test, harness: TransportHarness): void {
  const { transport, openStore, startGateway, startTwo, refusedUnsigned } = harness

  /** A gateway, and the challenges that it has marked as used; `forgets`: someone removes the marks at once. */
  async function startRecorded(t: Test, { forgets = false, config = {} }: Recording = {}) {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const used: string[] = []
    const challenges: Store['challenges'] = {
      fence: () => store.challenges.fence(),
      use(token, fence, lifeMs) {
        used.push(token)
        return forgets ? Promise.resolve(true) : store.challenges.use(token, fence, lifeMs)
      }
    }
    const gateway = await startGateway(t, { store: { ...store, challenges }, clock, config })
    return { clock, gateway, used }
  }

  t.test('a handshake that is only started leaves nothing in the store', async t => {
    const { gateway, used } = await startRecorded(t)
    const wires = await Promise.all(Array.from({ length: 20 }, () => gateway.wire()))
    t.equal(new Set(wires.map(wire => wire.challengeToken)).size, 20)
    t.same(used, [])
    const [wire] = wires
    wire?.authenticate(await gateway.createClient())
    await wire?.next('welcome')
    t.same(used, [wire?.challengeToken])
  })

  t.test('failed handshakes leave no more in the store than their address may fail', async t => {
    const { gateway, used } = await startRecorded(t, {
      config: { rateLimit: true, failedHandshakesPerMinute: 3 }
    })
    const credential = await gateway.createClient()
    for (let i = 0; i < 8; i++) {
      const wire = await gateway.wire()
      wire.authenticate({ ...credential, secret: 'wrong' })
      await refusedUnsigned(t, wire, i < 3 ? 'AUTHENTICATION_FAILED' : 'RATE_LIMITED')
    }
    t.equal(used.length, 3)
    t.ok(await gateway.session(credential), 'a handshake that proves itself')
    t.equal(used.length, 4)
  })

  t.test('a challenge of one instance is good on another, once', async t => {
    // A socket belongs to its instance.
    if (transport === 'ws') return
    const { gateway, other } = await startTwo(t)
    const credential = await gateway.createClient()
    const started = await gateway.wire()
    const frame = started.authenticateFrame(credential)
    const elsewhere = await other.wire()
    elsewhere.raw(frame)
    t.match(JSON.parse(await elsewhere.nextText()), { type: 'welcome' })
    started.raw(frame)
    await refusedUnsigned(t, started, 'AUTHENTICATION_FAILED')
  })

  t.test('a used challenge whose mark was removed replays no recorded handshake on another socket', async t => {
    // On the bridge a challenge belongs to no connection.
    if (transport === 'bridge') return
    const { gateway } = await startRecorded(t, { forgets: true })
    const recorded = await gateway.wire()
    const frame = recorded.authenticateFrame(await gateway.createClient())
    recorded.raw(frame)
    await recorded.next('welcome')
    const wire = await gateway.wire()
    wire.raw(frame)
    await refusedUnsigned(t, wire, 'AUTHENTICATION_FAILED')
  })

  t.test('a used challenge whose mark was removed replays no recorded handshake after its time', async t => {
    const { clock, gateway } = await startRecorded(t, { forgets: true })
    const recorded = await gateway.wire()
    const frame = recorded.authenticateFrame(await gateway.createClient())
    recorded.raw(frame)
    await recorded.next('welcome')
    clock.advance(60_001)
    const wire = await gateway.wire()
    wire.raw(frame)
    await refusedUnsigned(t, wire, 'AUTHENTICATION_FAILED')
  })

  t.test('a challenge is good for 60 s', async t => {
    if (transport === 'ws') return
    const { clock, gateway } = await startRecorded(t)
    const credential = await gateway.createClient()
    const [inTime, late] = [await gateway.wire(), await gateway.wire()]
    clock.advance(60_000)
    inTime.authenticate(credential)
    await inTime.next('welcome')
    clock.advance(1)
    late.authenticate(credential)
    await refusedUnsigned(t, late, 'AUTHENTICATION_FAILED')
  })
}
