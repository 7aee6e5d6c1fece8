import t from 'tap'
import { startGateway } from '../helper/gateway.js'

/** Heartbeats that the gateway asks for (PROTOCOL §6.1). */

t.test('pings a silent session once per silence, interval + 5 s after its last frame', async t => {
  const gateway = await startGateway(t)
  const wire = await gateway.session(await gateway.createClient())
  const pass = async (ms: number) => {
    gateway.clock.advance(ms)
    await gateway.app.tick()
  }
  const sent: string[] = []
  wire.socket.on('message', data => sent.push(JSON.parse(String(data)).type))
  await pass(19_999)
  t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
  t.same(sent, ['heartbeat'], 'none before the time')
  await pass(20_000)
  await wire.next('ping')
  await pass(20_000)
  t.same(sent, ['heartbeat', 'ping'], 'one is outstanding at a time')
  t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
  await pass(20_000)
  await wire.next('ping')
  await pass(25_000)
  t.match(await wire.next('error'), { code: 'HEARTBEAT_LOST' }, 'the timeout counts from the last frame')
})

t.test('sends no ping before the welcome, and none to a client that is heard', async t => {
  const gateway = await startGateway(t)
  const waiting = await gateway.wire()
  const wire = await gateway.session(await gateway.createClient())
  const frames: string[] = []
  for (const { socket } of [waiting, wire]) socket.on('message', data => frames.push(JSON.parse(String(data)).type))
  for (let i = 0; i < 10; i++) {
    gateway.clock.advance(15_000)
    await gateway.app.tick()
    await wire.ask({ type: 'heartbeat' })
  }
  t.notOk(frames.includes('ping'))
})
