import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.js'
import { loadConfig } from '../../src/config/load.js'
import { type StoreOutcome, StoreUnavailable } from '../../src/store/errors.js'
import type { Store } from '../../src/store/store.js'
import { type Answer, type BridgeWire, connectBridge } from '../helper/bridge-wire.js'
import { startGateway, testAdminToken, testMasterKey } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { hmac } from '../helper/wire.js'

/** Refusals of the bridge that an independent client met, and that its specification promises otherwise. */

function isSigned(wire: BridgeWire, { text }: Answer): boolean {
  const line = text.trimEnd()
  return line.slice(-66, -2) === hmac(wire.keys.server, `${line.slice(0, -80)}}`)
}

async function openSession(url: string, credential: { clientId: string; keyId: string; secret: string }) {
  const wire = await connectBridge(url)
  wire.authenticate(credential)
  await wire.next('welcome')
  return wire
}

for (const [kind, openStore] of Object.entries(stores)) {
  t.test(`bug: retryAfterMs of a 404 was no integer, ${kind}`, async t => {
    const { store } = await openStore(t, Date.now)
    const gateway = await startGateway(t, { store })
    const wire = await openSession(gateway.url, await gateway.createClient())
    const answer = await wire.exchange([], { ack: 1000 })
    t.equal(answer.status, 404)
    const retryAfterMs = answer.frames[0]?.['retryAfterMs']
    t.ok(Number.isInteger(retryAfterMs), `retryAfterMs is ${retryAfterMs}`)
    t.ok(Number(retryAfterMs) <= 30_000)
  })
}

t.test('bug: the refusal of a poll that verified did not name it when a member was out of range', async t => {
  const gateway = await startGateway(t)
  const wire = await openSession(gateway.url, await gateway.createClient())
  const polls: [string, object][] = [
    ['a negative wait', { poll: 11, ack: 1, wait: -1 }],
    ['a wait that is no number', { poll: 12, ack: 1, wait: 'long' }],
    ['a negative ack', { poll: 13, ack: -1, wait: 0 }],
    ['no ack', { poll: 14, wait: 0 }]
  ]
  for (const [name, members] of polls) {
    const answer = await wire.post(wire.sign({ type: 'poll', ...members }))
    const { poll } = members as { poll: number }
    t.match([answer.status, answer.frames], [400, [{ type: 'error', code: 'PROTOCOL_ERROR', poll }]], name)
    t.ok(isSigned(wire, answer), name)
  }
  const unnamed = await wire.post(wire.sign({ type: 'poll', poll: 0, ack: 1, wait: 0 }))
  t.match([unnamed.status, unnamed.frames], [400, [{ code: 'PROTOCOL_ERROR', poll: undefined }]], 'not a poll number')
  t.match((await wire.exchange([], { poll: 11 })).polled, { re: 11, superseded: false }, 'the number is not used up')
})

/** A gateway whose close waits after the bridge refuses exchanges, so that requests still arrive meanwhile. */
async function startClosingGateway(t: Test) {
  const { store } = await stores.embedded(t, Date.now)
  const { config } = loadConfig({ COUNTERSIGN_RATE_LIMIT: 'off', COUNTERSIGN_LOG_LEVEL: 'silent' })
  const app = await buildApp({ config, store, masterKeys: [testMasterKey], adminToken: testAdminToken })
  const closing = { hasBegun: false, finish: () => {} }
  await app.server.register(async plugin => {
    plugin.addHook('preClose', async () => {
      closing.hasBegun = true
      await new Promise<void>(resolve => Object.assign(closing, { finish: resolve }))
    })
  })
  await app.server.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.server.address() as AddressInfo
  return { app, url: `http://127.0.0.1:${port}`, closing }
}

t.test('bug: exchanges got an unsigned 503 of the framework while the server was closing', async t => {
  const { app, url, closing } = await startClosingGateway(t)
  const created = await fetch(`${url}/v1/admin/clients`, {
    method: 'POST',
    headers: { authorization: `Bearer ${testAdminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ clientId: 'game' })
  })
  const wire = await openSession(url, (await created.json()) as { clientId: string; keyId: string; secret: string })
  const closed = app.server.close()
  await until('the server is closing', async () => closing.hasBegun)

  const signed = await wire.exchange([])
  t.match([signed.status, signed.frames], [503, [{ type: 'error', code: 'DRAINING', poll: 1 }]])
  t.ok(isSigned(wire, signed))
  t.ok(Number.isInteger(signed.frames[0]?.['retryAfterMs']))
  t.equal(signed.headers.get('cache-control'), 'no-store')
  t.equal(signed.headers.get('connection'), 'close')

  const challenge = await fetch(`${url}/v1/bridge/challenge`, { method: 'POST' })
  t.match([challenge.status, await challenge.json()], [503, { type: 'error', code: 'DRAINING', signature: undefined }])
  closing.finish()
  await closed
})

for (const outcome of ['unknown', 'unsent'] satisfies StoreOutcome[]) {
  t.test(`a 503 states that the outcome is ${outcome}`, async t => {
    const { store } = await stores.embedded(t, Date.now)
    const away: { now: boolean } = { now: false }
    const bridge: Store['bridge'] = Object.create(store.bridge, {
      exchange: {
        value: (request: Parameters<Store['bridge']['exchange']>[0]) =>
          away.now ? Promise.reject(new StoreUnavailable(undefined, outcome)) : store.bridge.exchange(request)
      }
    })
    const gateway = await startGateway(t, { store: { ...store, bridge } })
    const wire = await openSession(gateway.url, await gateway.createClient())
    away.now = true
    const answer = await wire.exchange([])
    t.match([answer.status, answer.frames], [503, [{ code: 'UNAVAILABLE', poll: 1, outcome, retryAfterMs: 1000 }]])
    t.ok(isSigned(wire, answer))
  })
}
