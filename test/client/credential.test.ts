import t from 'tap'
import { createClient } from '../../src/client/node.js'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { createClientOf, createManualClient, credential, nextEvent } from './clients.js'
import { acceptSession, startFakeGateway } from './fake-gateway.js'

/** Obtaining a credential: bounded, never stale, and what is wrong is reported. */

const settled = () => new Promise(resolve => setImmediate(resolve))

t.test('bug: a ticket endpoint that never answers hung the client for ever', async t => {
  const gateway = await startFakeGateway(t)
  const waiting: ((value: typeof credential) => void)[] = []
  const { client, timers } = createManualClient(t, gateway.url, {
    credential: () => new Promise(resolve => waiting.push(resolve)),
    credentialTimeoutMs: 3000
  })
  const trouble = nextEvent(client, 'trouble')
  client.connect()
  const failure = client.heartbeat({ timeoutMs: 3100 }).catch((error: unknown) => error)
  await settled()
  timers.advance(3000)
  t.match(await trouble, { reason: /credential did not arrive within 3000 ms/, tries: 1 })
  timers.advance(100)
  t.match(await failure, { code: 'TIMEOUT', message: /no session.+credential did not arrive/, outcome: 'unsent' })
  timers.advance(250)
  await settled()
  t.equal(waiting.length, 2, 'a second try')
  waiting[0]?.(credential)
  await settled()
  waiting[1]?.(credential)
  const open = nextEvent(client, 'welcome')
  await acceptSession(gateway)
  await open
})

t.test('bug: a credential function that threw an unreadable value ended the process', async t => {
  const gateway = await startFakeGateway(t)
  const { client } = createManualClient(t, gateway.url, { credential: () => Promise.reject(Object.create(null)) })
  const trouble = nextEvent(client, 'trouble')
  client.connect()
  t.match(await trouble, { reason: /no credential: a value that cannot be shown/, tries: 1 })
})

t.test('bug: a logout and login within one ticket latency made Bob page the session of Alice', async t => {
  const gateway = await startGateway(t)
  const tickets: ((ticket: { clientId: string; secret: string }) => void)[] = []
  const client = createClientOf(t, gateway, { credential: () => new Promise(resolve => tickets.push(resolve)) })
  const alice = await gateway.createClient({ clientId: 'alice' })
  const bob = await gateway.createClient({ clientId: 'bob' })
  client.connect()
  await settled()
  await client.close()
  client.connect()
  await settled()
  const open = nextEvent(client, 'welcome')
  tickets[0]?.(alice)
  await settled()
  tickets[1]?.(bob)
  t.match(await open, { clientId: 'bob' })
  t.match((await gateway.admin('GET', '/sessions')).body.items, [{ clientId: 'bob' }])
})

t.test('bug: another clientId left `client:<old>` joined', async t => {
  const gateway = await startGateway(t)
  const [alice, bob] = [
    await gateway.createClient({ clientId: 'alice' }),
    await gateway.createClient({ clientId: 'bob' })
  ]
  let current = alice
  const client = createClientOf(t, gateway, { credential: () => current })
  const left: unknown[] = []
  client.on('unsubscribed', event => left.push(event))
  client.on('trouble', ({ reason }) => t.fail(reason))
  client.subscribe('client:alice', () => t.fail('for alice'))
  client.connect()
  await nextEvent(client, 'welcome')
  await client.close()
  current = bob
  const direct = nextEvent(client, 'direct')
  client.connect()
  await nextEvent(client, 'welcome')
  t.same(left, [{ channel: 'client:alice', code: 'PERMISSION_DENIED' }])
  await gateway.publish({ channel: 'client:alice', data: 1 })
  await gateway.publish({ channel: 'client:bob', data: 2 })
  t.match(await direct, { channel: 'client:bob', data: 2 })
})

t.test('accepts the answer of fetch, and names its status', async t => {
  const gateway = await startGateway(t)
  let token = 'wrong-token'
  const client = createClientOf(t, gateway, {
    credential: () =>
      fetch(`${gateway.url}/v1/tickets`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ clientId: 'page', ttl: 60 })
      })
  })
  const trouble = nextEvent(client, 'trouble')
  client.connect()
  t.match(await trouble, { reason: 'no credential: 401 from the ticket endpoint', tries: 1 })
  token = testAdminToken
  t.match(await nextEvent(client, 'welcome'), { clientId: 'page' })
})

t.test('bug: a ticket endpoint that is down was only "fetch failed"', async t => {
  const client = createClient({ url: 'ws://127.0.0.1:1', credential: () => fetch('http://127.0.0.1:2/ticket') })
  t.teardown(() => client.close())
  const trouble = nextEvent(client, 'trouble')
  client.connect()
  t.match(await trouble, { reason: 'no credential: fetch failed: ECONNREFUSED' })
})

t.test('bug: a ticket endpoint that answered a page was "Unexpected token"', async t => {
  for (const [answer, reason] of [
    [new Response('<!doctype html>'), 'no credential: the ticket endpoint answered no JSON'],
    [{ ok: true, status: 200, json: () => Promise.reject(new TypeError('terminated')) }, 'no credential: terminated']
  ] as const) {
    const { client } = createManualClient(t, 'ws://127.0.0.1:1', { credential: () => answer })
    const trouble = nextEvent(client, 'trouble')
    client.connect()
    t.match(await trouble, { reason })
  }
})

t.test('names the fault of a credential, without its secret', async t => {
  const wrong: [unknown, RegExp][] = [
    [undefined, /the credential is undefined/],
    [
      { code: 'UNAUTHORIZED', message: 'who are you' },
      /no clientId and secret; the answer was UNAUTHORIZED: who are you/
    ],
    [{ clientId: 'a b', secret: 'hunter2' }, /clientId of the credential/],
    [{ clientId: 'a', keyId: 5, secret: 'hunter2' }, /keyId/],
    [{ clientId: 'a', secret: 'hunter2'.repeat(10) }, /secret of the credential/]
  ]
  for (const [given, reason] of wrong) {
    const { client } = createManualClient(t, 'ws://127.0.0.1:1', { credential: () => given as typeof credential })
    const trouble = nextEvent(client, 'trouble')
    client.connect()
    const { reason: named } = await trouble
    t.match(named, reason)
    t.notMatch(named, /hunter2/)
  }
})

t.test('refuses time-outs that are not above 0, and clamps long ones', async t => {
  for (const options of [{ credentialTimeoutMs: 0 }, { requestTimeoutMs: Number.NaN }, { credentialTimeoutMs: -5 }]) {
    t.throws(() => createManualClient(t, 'ws://127.0.0.1:1', options), { code: 'INVALID_MESSAGE' })
  }
  const { client, timers } = createManualClient(t, 'ws://127.0.0.1:1', {
    credentialTimeoutMs: Number.POSITIVE_INFINITY,
    credential: () => new Promise(() => {})
  })
  client.connect()
  await until('it waits', () => timers.running().includes(2 ** 31 - 1))
})
