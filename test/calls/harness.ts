import type { Test } from 'tap'
import { connectBridge } from '../helper/bridge-wire.js'
import { createClock, type FakeClock } from '../helper/clock.js'
import { type Gateway, type GatewayOptions, startGateway } from '../helper/gateway.js'
import { type OpenStoreForTest, stores } from '../helper/stores.js'
import { connectWire, type Message, type Wire } from '../helper/wire.js'

/** Calls between every two transports, on one instance and on two, over each store. */

export interface Pair {
  readonly clock: FakeClock
  /** Serves the callers. */
  readonly near: Gateway
  /** Serves the receivers; the same as `near` on one instance. */
  readonly far: Gateway
  /** A session that may call any method of `game`. */
  caller(options?: object): Promise<Wire>
  /** A session of the client `game`. */
  receiver(): Promise<Receiver>
}

export interface Receiver {
  readonly wire: Wire
  readonly sessionId: string
}

export interface Combination {
  readonly title: string
  readonly start: (t: Test, options?: GatewayOptions) => Promise<Pair>
  readonly instances: 1 | 2
  readonly caller: 'ws' | 'bridge'
  readonly receiver: 'ws' | 'bridge'
}

const transports = ['ws', 'bridge'] as const

function combination(
  store: string,
  openStore: OpenStoreForTest,
  instances: 1 | 2,
  [caller, receiver]: readonly ['ws' | 'bridge', 'ws' | 'bridge']
): Combination {
  return {
    title: `${store}, ${instances === 1 ? '1 instance' : '2 instances'}, ${caller} calls ${receiver}`,
    ...{ instances, caller, receiver },
    start: (t, options) => start(t, openStore, { instances, caller, receiver }, options)
  }
}

/** Four pairs of transports, on the embedded store, on Redis with one instance and on Redis with two. */
export const combinations: readonly Combination[] = transports.flatMap(caller =>
  transports.flatMap(receiver => [
    combination('embedded', stores.embedded, 1, [caller, receiver]),
    combination('redis', stores.redis, 1, [caller, receiver]),
    combination('redis', stores.redis, 2, [caller, receiver])
  ])
)

async function start(
  t: Test,
  openStore: OpenStoreForTest,
  { instances, caller, receiver }: Pick<Combination, 'instances' | 'caller' | 'receiver'>,
  options: GatewayOptions = {}
): Promise<Pair> {
  const clock = createClock()
  const { store, another } = await openStore(t, clock.now)
  const config = { bridgeTimeoutSeconds: 45, lingerMs: 0, ...options.config }
  const open = async (transport: 'ws' | 'bridge', of = store) =>
    startGateway(t, { ...options, store: of, transport, config, clock })
  const near = await open(caller)
  const far = instances === 2 ? await open(receiver, await another()) : near
  // An instance counts as alive after its first tick.
  for (const { app } of [near, far]) await app.tick()
  const game = await near.createClient({ clientId: 'game' })
  return {
    ...{ clock, near, far },
    async caller(wanted = { call: ['game/*'] }) {
      return near.session(await near.createClient(wanted))
    },
    async receiver() {
      const wire = await (receiver === 'bridge' ? connectBridge(far.url) : connectWire(t, far.wsUrl))
      wire.authenticate(game)
      const { sessionId } = await wire.next('welcome')
      return { wire, sessionId: String(sessionId) }
    }
  }
}

/** Makes a call, and waits for its outcome meanwhile. */
export function callFrom(caller: Wire, members: object): { readonly re: number; readonly outcome: Promise<Message> } {
  const re = caller.send({ type: 'call', method: 'kick', ...members })
  return { re, outcome: caller.next() }
}

/** The next call that a receiver gets, and its answer. */
export async function answerNext(wire: Wire, members: object): Promise<Message> {
  const call = await wire.next('call')
  const { callId } = call
  await wire.ask({ type: 'callResult', callId, ...members })
  return call
}
