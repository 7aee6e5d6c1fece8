import t from 'tap'
import { WebSocket } from 'ws'
import { createClient } from '../../src/client/browser.js'
import { startGateway } from '../helper/gateway.js'
import { nextEvent } from './clients.js'

/** The entry for browsers, with the globals of a page. */

t.test('bug: a `pageshow` of a page that was not in a cache was not heard', async t => {
  const page = new EventTarget()
  const globals = { WebSocket: globalThis.WebSocket, addEventListener: globalThis.addEventListener }
  Object.assign(globalThis, { WebSocket, addEventListener: page.addEventListener.bind(page) })
  t.teardown(() => Object.assign(globalThis, globals))
  const gateway = await startGateway(t)
  const client = createClient({ url: gateway.wsUrl, credential: await gateway.createClient() })
  t.teardown(() => client.close())
  const open = nextEvent(client, 'welcome')
  client.connect()
  await open
  const sent: string[] = []
  client.on('frame', ({ direction, text }) => {
    if (direction === 'up') sent.push(JSON.parse(text).type)
  })
  page.dispatchEvent(new Event('pageshow'))
  t.same(sent, ['heartbeat'], 'it probes its session')
  await client.close()
  page.dispatchEvent(new Event('pageshow'))
  t.same(sent, ['heartbeat', 'bye'])
})
