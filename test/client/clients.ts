import type { Test } from 'tap'
import { CountersignClient } from '../../src/client/client.js'
import { createClient } from '../../src/client/node.js'
import type { ClientEvents, ClientOptions } from '../../src/client/options.js'
import { openNodeSocket } from '../../src/client/socket-node.js'
import { createPortableMac } from '../../src/protocol/mac-portable.js'
import type { Gateway } from '../helper/gateway.js'
import { createTimers, type ManualTimers } from '../helper/timers.js'
import { patienceMs } from '../helper/wire.js'

/** Clients in tests, and waiting for their events. */

export const license = { serviceId: 'svc', hwid: 'h', key: 'key' }
export const credential = { clientId: 'c', keyId: 'k', secret: 'cs_sk_secret' }

/** Waits for the next event of a name. */
export function nextEvent<Name extends keyof ClientEvents>(
  client: CountersignClient,
  name: Name
): Promise<ClientEvents[Name]> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(patienceMs)
    signal.addEventListener('abort', () => reject(new Error(`no ${name} in time`)))
    const off = client.on(name, value => {
      off()
      resolve(value)
    })
  })
}

/** Creates a client of a real gateway. */
export function createClientOf(
  t: Test,
  gateway: Gateway,
  options: Partial<ClientOptions> & Pick<ClientOptions, 'credential'>
): CountersignClient {
  const client = createClient({ url: gateway.wsUrl, ...options })
  t.teardown(() => void client.close())
  return client
}

export interface ManualClient {
  readonly client: CountersignClient
  readonly timers: ManualTimers
  /** Lines on the console. */
  readonly lines: string[]
  /** Errors of listeners and handlers without an `error` listener. */
  readonly faults: { error: unknown; source: string }[]
  /** As `online`, or a page that becomes visible. */
  wake(): void
}

/** Creates a client with timers that the test advances. */
export function createManualClient(t: Test, url: string, options: Partial<ClientOptions> = {}): ManualClient {
  const timers = createTimers()
  const lines: string[] = []
  const faults: ManualClient['faults'] = []
  const wakes = new Set<() => void>()
  const platform = {
    createMac: createPortableMac,
    openSocket: openNodeSocket,
    random: () => 0.5,
    nonce: () => 'n'.repeat(32),
    reportFault: (error: unknown, source: string) => void faults.push({ error, source }),
    warn: (line: string) => void lines.push(line),
    onWake(call: () => void) {
      wakes.add(call)
      return () => void wakes.delete(call)
    },
    ...timers
  }
  const client = new CountersignClient(platform, { url, credential, ...options })
  t.teardown(() => void client.close())
  return { client, timers, lines, faults, wake: () => [...wakes].map(call => call()) }
}
