import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import type { FastifyBaseLogger } from 'fastify'
import type { Test } from 'tap'
import { type App, buildApp } from '../../src/app.js'
import { type Config, loadConfig } from '../../src/config/load.js'
import type { ServerTimeouts } from '../../src/http/node-server.js'
import type { SteadyClock } from '../../src/steady-clock.js'
import type { Store } from '../../src/store/store.js'
import { connectBridge } from './bridge-wire.js'
import { createClock, type FakeClock } from './clock.js'
import { stores } from './stores.js'
import { connectWire, type Wire } from './wire.js'

/** A gateway on a free port with a fake clock, and the calls that tests make. */

export interface Gateway {
  readonly app: App
  readonly store: Store
  readonly clock: FakeClock
  readonly url: string
  readonly wsUrl: string
  /** Calls the admin API. */
  admin(method: string, path: string, body?: unknown): Promise<{ status: number; body: Body }>
  /** Publishes over HTTP. @throws if it is refused */
  publish(publication: { channel: string; data: unknown }): Promise<void>
  createClient(options?: object): Promise<{ clientId: string; keyId: string; secret: string }>
  /** A connection that has received its challenge. */
  wire(): Promise<Wire>
  /** A connection with a session. */
  session(credential: { clientId: string; keyId?: string; secret: string }): Promise<Wire>
}

// biome-ignore lint/suspicious/noExplicitAny: tests check the answers of the HTTP API member by member
export type Body = any

export const testAdminToken = 'test-admin-token-0123456789-0123456789'
export const testMasterKey = Buffer.alloc(32, 7)

export interface GatewayOptions {
  readonly config?: Partial<Config>
  readonly store?: Store
  readonly clock?: FakeClock
  /** Decides who is silent. Default: `clock`. */
  readonly steadyClock?: SteadyClock
  /** Default: no pauses are noticed. */
  readonly monotonicNow?: () => number
  /** The transport of `wire` and `session`. Default: ws. */
  readonly transport?: 'ws' | 'bridge'
  readonly bridgeAnswerWithinMs?: number
  /** Timeouts of the HTTP server. */
  readonly timeouts?: ServerTimeouts
  /** A pino logger. Default: nothing is logged. */
  readonly logger?: FastifyBaseLogger
  /** Folder of the pages, ending in `/`. Default: no pages. */
  readonly pagesFolder?: URL
}

export async function startGateway(t: Test, options: GatewayOptions = {}): Promise<Gateway> {
  const clock = options.clock ?? createClock()
  const store = options.store ?? (await stores.embedded(t, clock.now)).store
  const { config } = loadConfig({ COUNTERSIGN_RATE_LIMIT: 'off', COUNTERSIGN_LOG_LEVEL: 'silent' })
  const app = await buildApp({
    config: { ...config, ...options.config },
    store,
    masterKeys: [testMasterKey],
    adminToken: testAdminToken,
    now: clock.now,
    ...(options.steadyClock === undefined ? {} : { steadyClock: options.steadyClock }),
    ...(options.monotonicNow === undefined ? {} : { monotonicNow: options.monotonicNow }),
    ...(options.pagesFolder === undefined ? {} : { pagesFolder: options.pagesFolder }),
    ...(options.timeouts === undefined ? {} : { timeouts: options.timeouts }),
    ...(options.logger === undefined ? {} : { logger: options.logger }),
    ...(options.bridgeAnswerWithinMs === undefined ? {} : { bridgeAnswerWithinMs: options.bridgeAnswerWithinMs })
  })
  await app.server.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.server.close())
  const { port } = app.server.server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const wsUrl = `ws://127.0.0.1:${port}/v1/ws`

  const gateway: Gateway = {
    ...{ app, store, clock, url, wsUrl },
    async admin(method, path, body) {
      const answer = await fetch(`${url}/v1/admin${path}`, {
        method,
        headers: {
          authorization: `Bearer ${testAdminToken}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' })
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      const text = await answer.text()
      return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
    },
    async publish(publication) {
      const answer = await fetch(`${url}/v1/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${testAdminToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(publication)
      })
      if (answer.status !== 200) throw new Error(`not published: ${answer.status} ${await answer.text()}`)
    },
    async createClient(wanted = {}) {
      const { body } = await gateway.admin('POST', '/clients', {
        clientId: `c-${randomBytes(6).toString('hex')}`,
        ...wanted
      })
      const { clientId, keyId, secret } = body
      return { clientId, keyId, secret }
    },
    wire: () => (options.transport === 'bridge' ? connectBridge(url) : connectWire(t, wsUrl)),
    async session(credential) {
      const wire = await gateway.wire()
      wire.authenticate(credential)
      await wire.next('welcome')
      return wire
    }
  }
  return gateway
}
