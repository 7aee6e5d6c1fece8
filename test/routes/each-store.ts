import t, { type Test } from 'tap'
import { createClock } from '../helper/clock.js'
import { type Body, type Gateway, startGateway } from '../helper/gateway.js'
import { type OpenStoreForTest, stores } from '../helper/stores.js'

/** A gateway over each store, and calls to its API with any token. */

export interface Answer {
  readonly status: number
  readonly body: Body
}

export type Caller = (method: string, path: string, body?: unknown) => Promise<Answer>

/** Calls the API with a token. */
export function caller({ url }: Gateway, token: string): Caller {
  return async (method, path, body) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const answer = await fetch(url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
  }
}

export interface GatewayUnderTest extends Gateway {
  readonly gateway: Gateway
  /** Creates an API token and returns its record with a caller that uses it. */
  token(body: object): Promise<Body & { readonly call: Caller }>
}

export interface GatewaySuite {
  readonly openStore: OpenStoreForTest
  open(t: Test): Promise<GatewayUnderTest>
}

/** Runs a suite once per store. */
export function onEachStore(run: (t: Test, suite: GatewaySuite) => void): void {
  for (const [kind, openStore] of Object.entries(stores)) {
    t.test(kind, async t => {
      const open = async (t: Test) => {
        const clock = createClock()
        const { store } = await openStore(t, clock.now)
        const gateway = await startGateway(t, { store, clock })
        const token = async (body: object) => {
          const made = await gateway.admin('POST', '/tokens', { name: 'test', ...body })
          t.equal(made.status, 201)
          return { ...made.body, call: caller(gateway, made.body.token) }
        }
        return { ...gateway, gateway, token }
      }
      run(t, { openStore, open })
    })
  }
}
