import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { startGateway, testAdminToken } from '../helper/gateway.js'

t.test('the web page gets tickets and the game gets a token, each with exactly its own permissions', async t => {
  const gateway = await startGateway(t)
  const child = spawn(process.execPath, ['examples/roblox-panel.mjs', '--url', gateway.url, '--port', '0'], {
    env: { ...process.env, ADMIN_TOKEN: testAdminToken },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => child.kill())
  let url = ''
  let token = ''
  for await (const line of createInterface({ input: child.stdout })) {
    url = /^ {2}page {3}(\S+)$/.exec(line)?.[1] ?? url
    token = /^ {2}token {2}(\S+)$/.exec(line)?.[1] ?? token
    if (token !== '') break
  }

  const page = await (await fetch(url)).text()
  t.match(page, '<script type="module" src="panel.js">')
  t.equal((await fetch(`${url}/panel.js`)).status, 200)
  t.equal((await fetch(`${url}/countersign-client.js`)).status, 200)
  t.equal((await fetch(`${url}/../roblox-panel.mjs`)).status, 404)
  const ticket = await (await fetch(`${url}/ticket`)).json()
  t.match(ticket, { url: gateway.wsUrl, clientId: 'panel-1', keyId: String, secret: String })
  const wire = await gateway.session(ticket)
  t.match(await wire.ask({ type: 'subscribe', channel: 'chat' }), { type: 'subscribed' })
  t.match(await wire.ask({ type: 'publish', channel: 'config', data: { gravity: 50 } }), { type: 'published' })
  t.match(await wire.ask({ type: 'publish', channel: 'news', data: 1 }), { code: 'PERMISSION_DENIED' })

  const askForTicket = (clientId: string, publish: string[]) =>
    fetch(`${gateway.url}/v1/tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ clientId, subscribe: ['chat', 'config'], publish })
    })
  t.equal((await askForTicket('roblox-example', ['chat'])).status, 201)
  t.equal((await askForTicket('roblox-example', ['config'])).status, 403, 'servers do not set what they obey')
  t.equal((await askForTicket('panel-1', ['chat'])).status, 403)
  child.kill()
  await once(child, 'close')
})
