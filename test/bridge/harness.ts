import type { Test } from 'tap'
import type { Store } from '../../src/store/store.js'
import { type Answer, type BridgeWire, connectBridge, type ExchangeOptions } from '../helper/bridge-wire.js'
import { createClock, type FakeClock } from '../helper/clock.js'
import { type Gateway, type GatewayOptions, startGateway } from '../helper/gateway.js'
import type { OpenStoreForTest } from '../helper/stores.js'
import { until } from '../helper/until.js'
import type { Message } from '../helper/wire.js'

/** Shared parts of the suites of the exchange. */

export const permissions = { subscribe: ['*'], publish: ['*'] }

export interface TwoInstances {
  readonly clock: FakeClock
  readonly store: Store
  readonly gateway: Gateway
  /** Another instance; with the embedded store the same one. */
  readonly other: Gateway
}

/**
 * Starts two gateways over one store.
 * @param wrap  replaces parts of the first gateway's store
 */
export async function startTwo(
  t: Test,
  openStore: OpenStoreForTest,
  options: GatewayOptions = {},
  wrap = (store: Store): Store => store
): Promise<TwoInstances> {
  const clock = createClock()
  const { store, another } = await openStore(t, clock.now)
  const config = { lingerMs: 0, ...options.config }
  const gateway = await startGateway(t, { ...options, store: wrap(store), clock, config })
  const second = await another()
  const other = second === store ? gateway : await startGateway(t, { ...options, store: second, clock, config })
  return { clock, store, gateway, other }
}

/** A session on the first gateway. Default: of a new client with all permissions. */
export async function open(
  { gateway }: Pick<TwoInstances, 'gateway'>,
  credential?: Awaited<ReturnType<Gateway['createClient']>>
): Promise<BridgeWire> {
  const wire = await connectBridge(gateway.url)
  wire.authenticate(credential ?? (await gateway.createClient(permissions)))
  await wire.next('welcome')
  return wire
}

/** A message with its seq, signed: the same bytes however often it is sent. */
export function frame(wire: BridgeWire, { type, ...members }: Message): string {
  return wire.sign({ type, seq: wire.seq++, ...members })
}

export function publish(gateway: Gateway, channel: string, data: unknown): Promise<void> {
  return gateway.publish({ channel, data })
}

/** Polls with the longest wait. */
export const longPoll = (wire: BridgeWire, options: ExchangeOptions = {}): Promise<Answer> =>
  wire.exchange([], { wait: 25, ...options })

export async function untilHeld({ app }: Gateway, count: number): Promise<void> {
  await until(`${count} polls are held`, async () => app.heldPolls() === count)
}

/** A store in which the first publish to the channel `stuck` waits until the gate opens. */
export function stuckStore(gate: { open: () => void; calls: number }) {
  return (store: Store): Store => ({
    ...store,
    channels: Object.create(store.channels, {
      publish: {
        value: async (channel: string, ...rest: [string, Parameters<Store['channels']['publish']>[2]]) => {
          if (channel === 'stuck' && ++gate.calls === 1) {
            await new Promise<void>(resolve => Object.assign(gate, { open: resolve }))
          }
          return store.channels.publish(channel, ...rest)
        }
      }
    })
  })
}

/** A store whose `exchange` of the bridge is wrapped. */
export function wrapExchange(
  wrap: (request: ExchangeRequest, next: () => ExchangeOutcome) => ExchangeOutcome
): (store: Store) => Store {
  return store => ({
    ...store,
    bridge: Object.create(store.bridge, {
      exchange: { value: (request: ExchangeRequest) => wrap(request, () => store.bridge.exchange(request)) }
    })
  })
}

type ExchangeRequest = Parameters<Store['bridge']['exchange']>[0]
type ExchangeOutcome = ReturnType<Store['bridge']['exchange']>
