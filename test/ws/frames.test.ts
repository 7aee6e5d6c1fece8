import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import type WebSocket from 'ws'
import { maxQueuedFrames } from '../../src/session/connection.js'
import { startGateway } from '../helper/gateway.js'

/** WebSocket features besides frames: close codes, fragments, broken connections (PROTOCOL §8). */

t.test('closes unsigned on a violation of WebSocket itself, and serves others', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient()
  const bystander = await gateway.session(credential)
  const closes = async (name: string, send: (socket: WebSocket) => void, code: number) =>
    t.test(name, async t => {
      for (const open of [() => gateway.wire(), () => gateway.session(credential)]) {
        const wire = await open()
        send(wire.socket)
        t.equal((await wire.closed()).code, code)
      }
    })
  await closes('binary', socket => socket.send(Buffer.from('{}')), 1003)
  await closes('65537 bytes', socket => socket.send('x'.repeat(65_537)), 1009)
  await closes('megabytes', socket => socket.send('x'.repeat(5_000_000)), 1009)
  await closes('broken UTF-8', socket => socket.send(Buffer.of(0x7b, 0xff), { binary: false }), 1007)
  await closes('an encoded surrogate', socket => socket.send(Buffer.of(0xed, 0xa0, 0x80), { binary: false }), 1007)
  await closes(
    'endless fragments',
    socket => {
      for (let i = 0; i < 5000; i++) socket.send('', { fin: false })
    },
    1008
  )
  t.match(await bystander.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
})

t.test('joins the fragments of a frame', async t => {
  const gateway = await startGateway(t)
  const wire = await gateway.session(await gateway.createClient())
  const frame = wire.sign({ type: 'heartbeat', seq: wire.seq++, x: '👋' })
  const bytes = Buffer.from(frame)
  for (let i = 0; i < bytes.length; i++) {
    wire.socket.send(bytes.subarray(i, i + 1), { binary: false, fin: i === bytes.length - 1 })
  }
  t.match(await wire.next(), { type: 'heartbeat' })
})

t.test('half-closed, silent and cut sockets do not affect others', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient()
  const { hostname, port } = new URL(gateway.url)
  const half = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  half.on('error', () => {})
  half.write(
    'GET /v1/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
      'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
  )
  await once(half, 'data')
  half.end()
  await once(half, 'close')
  const cut = await gateway.session(credential)
  cut.socket.terminate()
  const silent = await gateway.wire()
  gateway.clock.advance(10_000)
  await gateway.app.tick()
  t.equal((await silent.closed()).code, 4400)
  const wire = await gateway.session(credential)
  t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
  while (gateway.app.sessionCount() > 1) await wire.ask({ type: 'heartbeat' })
  t.equal(await gateway.store.sessions.count(), 1, 'the cut session has ended')
})

t.test('stops reading during a flood and loses no frame', async t => {
  const gateway = await startGateway(t)
  await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
  const wire = await gateway.session(await gateway.createClient())
  const count = maxQueuedFrames * 20
  for (let i = 0; i < count; i++) wire.send({ type: 'validate', serviceId: 'svc', hwid: 'h', key: 'key' })
  for (let i = 0; i < count; i++) t.match(await wire.next(), { code: 'VALID', re: i + 2 })
})

t.test('handles frames sent before the welcome after it, in order', async t => {
  const gateway = await startGateway(t)
  const wire = await gateway.wire()
  wire.authenticate(await gateway.createClient())
  wire.send({ type: 'heartbeat' })
  wire.send({ type: 'heartbeat' })
  t.match(await wire.next('welcome'), { re: 1 })
  t.match(await wire.next('heartbeat'), { re: 2 })
  t.match(await wire.next('heartbeat'), { re: 3 })
})
