import { once } from 'node:events'
import t from 'tap'
import { patienceMs } from '../helper/wire.js'
import { createManualClient, credential, nextEvent } from './clients.js'
import { acceptSession, connectToFakeGateway, sign, startFakeGateway } from './fake-gateway.js'

/** `reconnect()`, and a page or network that is back. */

t.test('bug: `reconnect()` during an attempt that hangs took up to 3 s', async t => {
  const gateway = await startFakeGateway(t)
  const { client, timers } = createManualClient(t, gateway.url)
  client.connect()
  const hanging = await gateway.accept()
  timers.advance(300)
  client.reconnect()
  timers.advance(749)
  client.reconnect()
  t.equal(hanging.socket.readyState, hanging.socket.OPEN, 'it has half a second, and half of the jitter')
  timers.advance(1)
  await once(hanging.socket, 'close', { signal: AbortSignal.timeout(patienceMs) })
  const open = nextEvent(client, 'welcome')
  await acceptSession(gateway)
  await open
  t.notOk(timers.running().includes(750))
})

t.test('an attempt that ends in time is kept when the client is woken', async t => {
  const gateway = await startFakeGateway(t)
  let tries = 0
  const { client, timers, wake } = createManualClient(t, gateway.url, {
    credential: () => {
      tries++
      return credential
    }
  })
  client.connect()
  wake()
  t.ok(timers.running().includes(750))
  const open = nextEvent(client, 'welcome')
  await acceptSession(gateway)
  await open
  t.notOk(timers.running().includes(750))
  timers.advance(1000)
  t.equal(tries, 1)
})

t.test('a connected client that is woken keeps a session that answers, and replaces one that does not', async t => {
  const { client, timers, socket, receive, wake } = await connectToFakeGateway(t)
  client.on('lost', ({ reason }) => reasons.push(reason))
  const reasons: string[] = []
  wake()
  wake()
  t.match(await receive(), /"type":"heartbeat","seq":2/)
  const answered = nextEvent(client, 'frame')
  socket.send(sign({ type: 'heartbeat', seq: 2, re: 2, serverTime: 1 }))
  await answered
  timers.advance(5000)
  t.same(reasons, [])
  client.reconnect()
  t.match(await receive(), /"type":"heartbeat","seq":3/, 'one probe at a time')
  timers.advance(5000)
  t.same(reasons, ['no answer to a heartbeat'])
})
