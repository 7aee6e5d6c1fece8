import { once } from 'node:events'
import t from 'tap'
import { StoreUnavailable } from '../../src/store/store.js'
import { type Gateway, startGateway } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'
import { upgrade } from './upgrade.js'

/** The upgrade to WebSocket (PROTOCOL §8). */

t.test('accepts our subprotocol or none, and refuses another alone', async t => {
  const gateway = await startGateway(t)
  const ours = await upgrade(gateway, { 'sec-websocket-protocol': 'other, countersign.v1' })
  t.match(ours, { status: 101, headers: { 'sec-websocket-protocol': 'countersign.v1' } })
  const none = await upgrade(gateway)
  t.equal(none.status, 101)
  t.equal(none.headers['sec-websocket-protocol'], undefined)
  const other = await upgrade(gateway, { 'sec-websocket-protocol': 'countersign.v2' })
  t.match(other, { status: 400, body: { code: 'UNSUPPORTED_PROTOCOL' } })
})

t.test('allows origins: its own and loopback by default, a list, or any', async t => {
  const own = await startGateway(t)
  const status = async (gateway: Gateway, origin: string, host?: string) =>
    (await upgrade(gateway, { origin, ...(host === undefined ? {} : { host }) })).status
  t.equal(await status(own, 'https://evil.example'), 403)
  t.equal(await status(own, 'null'), 403)
  t.equal(await status(own, 'https://gate.example', 'gate.example'), 101)
  t.equal(await status(own, 'https://gate.example.evil.example', 'gate.example'), 403)
  for (const origin of ['http://localhost:3000', 'http://127.0.0.1:5173', 'http://[::1]:1']) {
    t.equal(await status(own, origin), 101, origin)
  }
  t.equal(await status(own, 'http://localhost.evil.example'), 403)
  const list = await startGateway(t, { config: { allowedOrigins: { kind: 'list', origins: ['https://a.example'] } } })
  t.equal(await status(list, 'https://a.example'), 101)
  t.equal(await status(list, 'http://a.example'), 403)
  t.equal(await status(list, 'http://localhost'), 403)
  const any = await startGateway(t, { config: { allowedOrigins: { kind: 'any' } } })
  t.equal(await status(any, 'https://evil.example'), 101)
})

t.test('refuses an upgrade of another path, and answers a plain GET with 426', async t => {
  const gateway = await startGateway(t)
  for (const path of ['/livez', '/nothing', '/v1/admin/clients']) {
    t.not((await upgrade(gateway, {}, path)).status, 101, path)
  }
  const plain = await fetch(`${gateway.url}/v1/ws`)
  t.equal(plain.status, 426)
  t.match(await plain.json(), { code: 'BAD_REQUEST' })
})

t.test('answers an upgrade with 503 while the store is unavailable', async t => {
  const { store } = await stores.embedded(t, Date.now)
  const fence = () => Promise.reject(new StoreUnavailable())
  const gateway = await startGateway(t, { store: { ...store, challenges: { ...store.challenges, fence } } })
  t.match(await upgrade(gateway), { status: 503, body: { code: 'UNAVAILABLE' }, headers: { 'retry-after': '1' } })
})

t.test('answers an upgrade with 503 at the session limit of the instance', async t => {
  const gateway = await startGateway(t, { config: { maxSessions: 2 } })
  const credential = await gateway.createClient()
  await gateway.session(credential)
  const second = await gateway.session(credential)
  await gateway.app.tick()
  t.match(await upgrade(gateway), { status: 503, body: { code: 'UNAVAILABLE' } })
  second.socket.terminate()
  await once(second.socket, 'close')
  let status = 503
  while (status === 503) ({ status = 503 } = await upgrade(gateway))
  t.equal(status, 101)
})
