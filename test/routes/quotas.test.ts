import t from 'tap'
import { createEmbeddedTickets } from '../../src/store/embedded/tickets.js'
import { ShareExceeded, type Store } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import { startGateway } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'
import { caller } from './each-store.js'

/** Quotas of tokens. */

t.test('a token that publishes too much gets 429 with retry-after; the admin token has no quotas', async t => {
  const clientQuotas = { bytesPerSecond: 1000, historyBytes: 5000, channels: 1000, tokenMultiple: 2 }
  const gateway = await startGateway(t, { config: { rateLimit: true, clientQuotas } })
  const made = await gateway.admin('POST', '/tokens', { name: 't', scopes: ['publish'], publish: ['*'] })
  const publish = () =>
    fetch(`${gateway.url}/v1/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${made.body.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ channel: 'c', data: 'x'.repeat(2000) })
    })
  t.equal((await publish()).status, 200)
  const refused = await publish()
  t.equal(refused.status, 429)
  t.ok(Number(refused.headers.get('retry-after')) >= 1)
  t.match(await refused.json(), { code: 'RATE_LIMITED', message: /COUNTERSIGN_CLIENT_/ })
  for (let i = 0; i < 5; i++) await gateway.publish({ channel: 'c', data: 'x'.repeat(2000) })
})

t.test('bug: one token used up the live tickets of all', async t => {
  const clock = createClock()
  const { store } = await stores.embedded(t, clock.now)
  const put: Store['tickets']['put'] = async (keyId, text, lifeMs, owner) => {
    if (owner === flooder) throw new ShareExceeded('tickets', 5)
    await store.tickets.put(keyId, text, lifeMs, owner)
  }
  let flooder = ''
  const gateway = await startGateway(t, { clock, store: { ...store, tickets: { ...store.tickets, put } } })
  const [one, two] = await Promise.all(
    [1, 2].map(() => gateway.admin('POST', '/tokens', { name: 't', scopes: ['tickets'], clients: ['web-*'] }))
  )
  flooder = `token:${one?.body.tokenId}`
  const create = (token: string) => caller(gateway, token)('POST', '/v1/tickets', { clientId: 'web-1' })
  t.match(await create(one?.body.token), { status: 429, body: { code: 'RATE_LIMITED', message: /tickets/ } })
  t.match(await create(two?.body.token), { status: 201 })
})

t.test('one owner has at most a quarter of the bytes of tickets', async t => {
  const clock = createClock()
  const tickets = createEmbeddedTickets(clock.now, 4000)
  const one = 'x'.repeat(58)
  for (let i = 0; i < 4; i++) await tickets.put(`f${i}`, one, 1000, 'flooder')
  await t.rejects(tickets.put('f4', one, 1000, 'flooder'), { name: 'StoreUnavailable' })
  await tickets.put('other', one, 2000, 'other')
  const revoked = 'y'.repeat(58)
  t.equal(await tickets.replace('f0', one, revoked), true, 'a live ticket can be changed')
  t.equal(await tickets.get('f0'), revoked)
  clock.advance(1000)
  await tickets.put('f5', one, 1000, 'flooder')
  t.equal(tickets.bounds()[0]?.used, 2, 'those that have ended are gone')
})
