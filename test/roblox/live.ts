import t from 'tap'
import { type GatewayOptions, startGateway, testAdminToken } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'
import { runLuau } from './luau.js'

const clock = { now: Date.now, advance: () => {} }

/** Declares tests that run a spec of `roblox/test/live` against a real gateway, one with each store. */
export function runWithEachStore(file: string, config: GatewayOptions['config'] = {}): void {
  for (const [name, open] of Object.entries(stores)) {
    t.test(`the Luau SDK and a real gateway: ${file}, ${name} store`, async t => {
      const { store } = await open(t, clock.now)
      const gateway = await startGateway(t, { clock, store, config })
      // As the server does.
      const timer = setInterval(() => void gateway.app.tick(), 500)
      t.teardown(() => clearInterval(timer))
      await runLuau(t, `roblox/test/live/${file}.luau`, { GATEWAY_URL: gateway.url, ADMIN_TOKEN: testAdminToken })
    })
  }
}
