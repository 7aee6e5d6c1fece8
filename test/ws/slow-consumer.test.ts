import t from 'tap'
import { startGateway } from '../helper/gateway.js'

/** Clients that do not read (PROTOCOL §11, SLOW_CONSUMER). */

t.test('disconnects a client that does not read', async t => {
  const gateway = await startGateway(t)
  const bystander = await gateway.session(await gateway.createClient())
  const wire = await gateway.session(await gateway.createClient())
  wire.socket.pause()
  const wide = 'x'.repeat(60_000)
  let closed = false
  wire.socket.on('close', () => {
    closed = true
  })
  // Answers are small; their number fills the buffers.
  for (let i = 0; i < 200_000 && gateway.app.sessionCount() > 1; i++) {
    wire.send(i % 100 === 0 ? { type: 'heartbeat', wide } : { type: 'heartbeat' })
    if (i % 500 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  t.equal(gateway.app.sessionCount(), 1)
  t.equal(closed, false, 'the client read nothing, not even the close')
  t.match(await bystander.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'other sessions are not affected')
})

t.test('disconnects a subscriber that does not read; the others receive every publication', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient({ subscribe: ['*'], publish: ['*'] })
  const [reader, slow, publisher] = await Promise.all([1, 2, 3].map(() => gateway.session(credential)))
  if (reader === undefined || slow === undefined || publisher === undefined) throw new Error('no session')
  for (const wire of [reader, slow]) await wire.ask({ type: 'subscribe', channel: 'c' })
  slow.socket.pause()
  let published = 0
  while (gateway.app.sessionCount() > 2) {
    await publisher.ask({ type: 'publish', channel: 'c', data: 'x'.repeat(30_000) })
    t.match(await reader.next('publication'), { offset: ++published })
  }
  t.match(await (await fetch(`${gateway.url}/metrics`)).text(), /ended_total\{transport="ws",code="SLOW_CONSUMER"\} 1/)
  t.match(await publisher.ask({ type: 'publish', channel: 'c', data: 1 }), { offset: published + 1 })
  t.match(await reader.next('publication'), { data: 1 })
})
