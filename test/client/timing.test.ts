import { once } from 'node:events'
import t from 'tap'
import { backoffMs } from '../../src/client/backoff.js'
import { createManualClient, license, nextEvent } from './clients.js'
import { challenge, connectToFakeGateway, sign, startFakeGateway, welcome } from './fake-gateway.js'

/** Heartbeats, renewal, reconnecting, and closing. */

t.test('renews a session before it expires', async t => {
  const renewal = async (expiresAt: number) => {
    const { client, timers } = await connectToFakeGateway(t, { expiresAt, heartbeatInterval: 3_000_000 })
    const running = timers.running().filter(ms => ms !== 10_000 && ms !== 3_000_000_000)
    client.close()
    return running[0]
  }
  t.equal(await renewal(86_400_000), 86_340_000)
  t.equal(await renewal(30_000), 22_500, 'a ticket of 30 s')
  t.equal(await renewal(0), 750, 'at least a second of lifetime')
  t.equal(await renewal(Number.MAX_SAFE_INTEGER), 2 ** 31 - 1, 'at most the longest timer')
})

t.test('opens the next session before it closes the old one', async t => {
  for (const reason of ['the session expires soon', 'the gateway sends reconnect']) {
    await t.test(reason, async t => {
      const { gateway, client, timers, socket, receive } = await connectToFakeGateway(t, {
        expiresAt: 40_000,
        heartbeatInterval: 3_000_000
      })
      const states: string[] = []
      client.on('state', state => states.push(state))
      if (reason === 'the gateway sends reconnect') {
        const received = nextEvent(client, 'frame')
        socket.send(sign({ type: 'reconnect', seq: 2, afterMs: 5000 }))
        await received
        timers.advance(4999)
        timers.advance(1)
      } else timers.advance(30_000)
      const second = await gateway.accept()
      second.socket.send(challenge)
      t.match(await second.receive(), /"type":"authenticate"/)
      const answer = client.validate(license)
      t.match(await receive(), /"type":"validate"/, 'the old session serves until the new one is open')
      const renewed = nextEvent(client, 'welcome')
      second.socket.send(sign({ ...welcome, sessionId: 'S'.repeat(32), expiresAt: 80_000 }))
      t.match(await renewed, { sessionId: 'S'.repeat(32) })
      t.match(await receive(), /"type":"bye"/)
      const repeated = JSON.parse(await second.receive())
      t.match(repeated, { type: 'validate', seq: 2 }, 'open requests are repeated')
      second.socket.send(
        sign({ type: 'validation', seq: 2, re: repeated.seq, valid: true, code: 'VALID', serviceId: 'svc' })
      )
      t.match(await answer, { code: 'VALID' })
      t.same(states, [])
    })
  }
})

t.test('sends heartbeats, and reconnects if one is not answered', async t => {
  const { client, socket, timers, receive } = await connectToFakeGateway(t)
  timers.advance(15_000)
  t.match(await receive(), /"type":"heartbeat","seq":2/)
  const answered = nextEvent(client, 'frame')
  socket.send(sign({ type: 'heartbeat', seq: 2, re: 2, serverTime: 1 }))
  await answered
  timers.advance(15_000)
  t.match(await receive(), /"seq":3/)
  const lost = nextEvent(client, 'lost')
  timers.advance(9999)
  t.equal(client.state, 'connected')
  timers.advance(1)
  t.match(await lost, { reason: 'no answer to a heartbeat' })
})

t.test('drops a silent gateway after 10 s', async t => {
  const gateway = await startFakeGateway(t)
  const { client, timers } = createManualClient(t, gateway.url)
  client.connect()
  const { socket } = await gateway.accept()
  timers.advance(10_000)
  await once(socket, 'close')
  t.same(timers.running(), [250])
})

t.test('bug: three refused handshakes after a session made the next attempt wait for a minute', async t => {
  const { gateway, client, socket, timers } = await connectToFakeGateway(t)
  const troubles: unknown[] = []
  client.on('trouble', trouble => troubles.push(trouble))
  const lost = nextEvent(client, 'lost')
  socket.terminate()
  await lost
  for (const delayMs of [250, 250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]) {
    t.same(timers.running(), [delayMs])
    timers.advance(delayMs)
    const next = await gateway.accept()
    next.socket.send(challenge)
    await next.receive()
    next.socket.send('{"type":"error","code":"AUTHENTICATION_FAILED","message":"authentication failed"}')
    await once(next.socket, 'close')
  }
  t.match(troubles, [{ reason: 'AUTHENTICATION_FAILED: authentication failed', tries: 1 }])
  t.equal(troubles.length, 1, 'one report for one cause')
})

t.test('leaves no timer and no connection if a listener calls close', async t => {
  for (const name of ['state', 'welcome', 'frame', 'lost'] as const) {
    await t.test(name, async t => {
      const gateway = await startFakeGateway(t)
      const { client, timers } = createManualClient(t, gateway.url)
      client.on(name, () => client.close())
      client.connect()
      if (name !== 'state') {
        const { socket, receive } = await gateway.accept()
        socket.send(challenge)
        if (name !== 'frame') {
          await receive()
          socket.send(sign(welcome))
          if (name === 'lost') socket.close(1001)
          else {
            t.match(await receive(), /"type":"bye"/)
            timers.advance(2000)
          }
        }
        await once(socket, 'close')
      }
      await new Promise(resolve => setImmediate(resolve))
      t.same(timers.running(), [])
      t.equal(client.state, 'disconnected')
    })
  }
})

t.test('backoff delays have full jitter and a bound', async t => {
  t.same(
    [1, 2, 3, 6, 7, 100].map(failures => backoffMs(failures, 1)),
    [500, 1000, 2000, 16_000, 20_000, 20_000]
  )
  t.equal(backoffMs(5, 0), 0)
  t.equal(backoffMs(5, 0, 7000), 7000, 'a hint')
  t.equal(backoffMs(5, 0, 1e9), 60_000, 'a bounded hint')
  t.equal(backoffMs(100, 1, 0, true), 1500, 'an instance that announced its stop is soon back')
})
