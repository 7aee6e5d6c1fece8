import t from 'tap'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { runLuau } from './luau.js'

/** Tickets that are created later must expire later. */
const clock = { now: Date.now, advance: () => {} }

for (const file of ['messages', 'credentials']) {
  t.test(`the SDK and a real gateway: ${file}`, async t => {
    const gateway = await startGateway(t, { clock })
    await runLuau(t, `roblox/test/live/${file}.luau`, { GATEWAY_URL: gateway.url, ADMIN_TOKEN: testAdminToken })
  })
}

t.test('the SDK and a real gateway: fresh challenges', async t => {
  const gateway = await startGateway(t, { clock, config: { freshChallengeMs: 500 } })
  await runLuau(t, 'roblox/test/live/challenge.luau', { GATEWAY_URL: gateway.url, ADMIN_TOKEN: testAdminToken })
})
