import type { Test } from 'tap'
import type { codes } from '../../src/protocol/codes.js'
import { type Store, StoreUnavailable } from '../../src/store/store.js'
import { createClock, type FakeClock } from '../helper/clock.js'
import { type Gateway, type GatewayOptions, startGateway } from '../helper/gateway.js'
import type { OpenStoreForTest } from '../helper/stores.js'
import type { Message, Wire } from '../helper/wire.js'

/** The environment of the suites of this folder: one transport and one store. */
export interface TransportUnderTest {
  readonly transport: 'ws' | 'bridge'
  readonly openStore: OpenStoreForTest
  /** Asserts that the session has ended with this code, the way this transport shows it. */
  ended(t: Test, wire: Wire, code: keyof typeof codes | 'bye'): Promise<void>
}

export type TransportAndStore = Pick<TransportUnderTest, 'transport' | 'openStore'>

export interface SlowStore {
  readonly slow: Store
  readonly store: Store
  readonly gate: { closed: boolean; open: () => void; failing: boolean }
}

export interface TransportHarness extends TransportUnderTest {
  /** For tests of what only a connection has: its own handshake timer, its loss, a flood without answers. */
  onSocket(title: string, run: (t: Test) => Promise<void>): void
  startGateway(t: Test, options?: GatewayOptions): Promise<Gateway>
  /** A gateway over a new store. */
  start(t: Test, options?: GatewayOptions): Promise<Gateway>
  /** Two gateways over one store; with the embedded store both are the same. */
  startTwo(t: Test): Promise<{ gateway: Gateway; other: Gateway; clock: FakeClock }>
  /** Asserts a signed error with this code, then the end. */
  endsWith(t: Test, wire: Wire, code: keyof typeof codes, re?: number): Promise<void>
  /** Asserts an unsigned error with this code, then the end. @returns the text of the error */
  refusedUnsigned(t: Test, wire: Wire, code: keyof typeof codes): Promise<string>
  /** Advances the clock, then runs what the gateway does periodically. */
  pass(gateway: { clock: FakeClock; app: Gateway['app'] }, ms: number): Promise<void>
  /** A store whose opening of sessions and slots waits while the gate is closed, and fails while it is failing. */
  slowStore(t: Test, clock: FakeClock): Promise<SlowStore>
}

export const validate: Message = { type: 'validate', serviceId: 'svc', hwid: 'h', key: 'key' }

/** A value nested this many arrays deep. */
export const nest = (levels: number): unknown => (levels === 0 ? 1 : [nest(levels - 1)])

export function createHarness(t: Test, under: TransportUnderTest): TransportHarness {
  const { transport, openStore, ended } = under
  const harness: TransportHarness = {
    ...under,
    onSocket(title, run) {
      if (transport === 'ws') t.test(title, run)
    },
    startGateway: (t, { config, ...options } = {}) =>
      startGateway(t, { ...options, transport, config: { bridgeTimeoutSeconds: 45, lingerMs: 0, ...config } }),

    async start(t, options = {}) {
      const clock = options.clock ?? createClock()
      const { store } = await openStore(t, clock.now)
      return harness.startGateway(t, { store, ...options, clock })
    },

    async startTwo(t) {
      const clock = createClock()
      const { store, another } = await openStore(t, clock.now)
      const gateway = await harness.startGateway(t, { store, clock })
      const second = await another()
      const other = second === store ? gateway : await harness.startGateway(t, { store: second, clock })
      return { gateway, other, clock }
    },

    async endsWith(t, wire, code, re) {
      const error = await wire.next('error')
      t.match(error, { code, ...(re === undefined ? {} : { re }) })
      await ended(t, wire, code)
    },

    async refusedUnsigned(t, wire, code) {
      const text = await wire.nextText()
      t.match(JSON.parse(text), { type: 'error', code })
      t.notMatch(text, /signature/)
      await ended(t, wire, code)
      return text
    },

    async pass({ clock, app }, ms) {
      clock.advance(ms)
      await app.tick()
    },

    slowStore: (t, clock) => createSlowStore(openStore, t, clock)
  }
  return harness
}

async function createSlowStore(
  openStore: TransportUnderTest['openStore'],
  t: Test,
  clock: FakeClock
): Promise<SlowStore> {
  const { store } = await openStore(t, clock.now)
  const gate = { closed: false, open: () => {}, failing: false }
  async function passGate(): Promise<void> {
    if (gate.failing) throw new StoreUnavailable()
    if (gate.closed) await new Promise<void>(resolve => Object.assign(gate, { open: resolve }))
  }
  const { sessions, licenseSlots } = store
  const slow: Store = {
    ...store,
    sessions: { ...sessions, open: (...all) => passGate().then(() => sessions.open(...all)) },
    licenseSlots: { ...licenseSlots, acquire: (...all) => passGate().then(() => licenseSlots.acquire(...all)) }
  }
  return { slow, store, gate }
}
