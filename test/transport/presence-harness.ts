import type { Test } from 'tap'
import { createClock, type FakeClock } from '../helper/clock.js'
import { type Gateway, startGateway } from '../helper/gateway.js'
import type { Wire } from '../helper/wire.js'
import type { TransportAndStore } from './harness.js'

export const presentPermissions = { subscribe: ['*'], publish: ['*'], presence: ['*'] }

export interface Present {
  readonly sessionId: string
  readonly clientId: string
  readonly attributes: Record<string, string>
}

export interface PresenceHarness {
  /** Two gateways over one store, with presence of some channels; with the embedded store both are the same. */
  startTwo(t: Test): Promise<{ clock: FakeClock; gateway: Gateway; other: Gateway }>
  open(gateway: Gateway, credential: { clientId: string; secret: string }): Promise<{ wire: Wire; sessionId: string }>
}

export function createPresenceHarness({ transport, openStore }: TransportAndStore): PresenceHarness {
  async function startTwo(t: Test) {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    const config = {
      presence: ['lobby*', 'client:*'],
      bridgeTimeoutSeconds: 45,
      heartbeatTimeoutSeconds: 45,
      lingerMs: 0
    }
    const start = (store: Gateway['store']) => startGateway(t, { store, clock, transport, config })
    const gateway = await start(store)
    const second = await another()
    return { clock, gateway, other: second === store ? gateway : await start(second) }
  }

  async function open(gateway: Gateway, credential: { clientId: string; secret: string }) {
    const wire = await gateway.wire()
    wire.authenticate(credential)
    return { wire, sessionId: String((await wire.next('welcome'))['sessionId']) }
  }

  return { startTwo, open }
}

/** The answer to a `presence`. */
export async function present(wire: Wire, channel: string, members: object = {}) {
  const answer = await wire.ask({ type: 'presence', channel, ...members })
  if (answer.type !== 'presence') throw new Error(JSON.stringify(answer))
  return { count: answer['count'], sessions: answer['sessions'] as Present[] }
}
