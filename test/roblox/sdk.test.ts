import t from 'tap'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { runLuau } from './luau.js'

t.test('the SDK against a gateway that runs', async t => {
  const gateway = await startGateway(t)
  await runLuau(t, 'roblox/test/live/sdk.luau', { GATEWAY_URL: gateway.url, ADMIN_TOKEN: testAdminToken })
})
