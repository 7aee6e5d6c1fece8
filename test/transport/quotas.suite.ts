import type { Test } from 'tap'
import { createClock } from '../helper/clock.js'
import { type Gateway, startGateway } from '../helper/gateway.js'
import { allPermissions, type ChannelHarness, positionOf } from './channel-harness.js'

/** Limits of one client's use of shared resources (PROTOCOL §11). */

const quotas = { bytesPerSecond: 1_000_000, historyBytes: 10_000_000, channels: 1000, tokenMultiple: 2 }
const kilobyte = 'x'.repeat(1000)

interface Ticket {
  readonly clientId: string
  readonly keyId: string
  readonly secret: string
}

/** Makes a token. @returns makes tickets with it */
async function ticketsOf(gateway: Gateway): Promise<(clientId: string) => Promise<Ticket>> {
  const lists = { clients: ['*'], publish: ['*'], subscribe: ['*'] }
  const { body } = await gateway.admin('POST', '/tokens', { name: 't', scopes: ['tickets'], ...lists })
  return async clientId => {
    const answer = await fetch(`${gateway.url}/v1/tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${body.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ clientId, publish: ['*'], subscribe: ['*'] })
    })
    return (await answer.json()) as Ticket
  }
}

export function quotaSuite(t: Test, { start, openStore, transport }: ChannelHarness): void {
  t.test('bug: one publisher filled the histories of all', async t => {
    const clientQuotas = { ...quotas, historyBytes: 5000 }
    const gateway = await start(t, { config: { rateLimit: true, clientQuotas } })
    const publisher = await gateway.session(await gateway.createClient(allPermissions))
    const other = await gateway.session(await gateway.createClient(allPermissions))
    const publish = (i: number) => publisher.ask({ type: 'publish', channel: `c${i}`, data: kilobyte })
    const answers = []
    for (let i = 0; i < 8; i++) answers.push(await publish(i))
    t.same(
      answers.map(({ type }) => type).slice(0, 4),
      Array.from({ length: 4 }, () => 'published')
    )
    const refused = answers.at(-1)
    t.match(refused, { type: 'error', code: 'RATE_LIMITED', message: /5000.*COUNTERSIGN_CLIENT_HISTORY_BYTES/ })
    t.ok(Number.isInteger(refused?.['retryAfterMs']) && Number(refused?.['retryAfterMs']) > 0)
    t.match(await publisher.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'its session goes on')
    t.match(await other.ask({ type: 'publish', channel: 'c0', data: kilobyte }), { type: 'published' })
    const { text } = { text: await (await fetch(`${gateway.url}/metrics`)).text() }
    t.match(text, /countersign_quota_refusals_total\{quota="history_bytes"\} [1-9]/)
    for (let i = 0; i < 12; i++) {
      gateway.clock.advance(30_000)
      await Promise.all([publisher, other].map(wire => wire.ask({ type: 'heartbeat' })))
      await gateway.app.tick()
    }
    t.match(await publish(9), { type: 'published' }, 'what has ended by time counts no more')
  })

  t.test('a channel whose history drops as much as it gets uses no more of the quota', async t => {
    const history = { size: 3, lifeMs: 300_000 }
    const clock = createClock()
    const { store } = await openStore(t, clock.now, { history })
    const clientQuotas = { ...quotas, historyBytes: 6000 }
    const config = { history, rateLimit: true, clientQuotas, bridgeTimeoutSeconds: 45, lingerMs: 0 }
    const gateway = await startGateway(t, { store, clock, transport, config })
    const publisher = await gateway.session(await gateway.createClient(allPermissions))
    for (let i = 0; i < 30; i++) {
      t.match(await publisher.ask({ type: 'publish', channel: 'c', data: kilobyte }), { type: 'published' })
    }
  })

  t.test('limits the bytes that a client publishes per second', async t => {
    const clientQuotas = { ...quotas, bytesPerSecond: 1000 }
    const gateway = await start(t, { config: { rateLimit: true, clientQuotas } })
    const publisher = await gateway.session(await gateway.createClient(allPermissions))
    const publish = () => publisher.ask({ type: 'publish', channel: 'c', data: kilobyte })
    for (let i = 0; i < 3; i++) t.match(await publish(), { type: 'published' })
    const refused = await publish()
    t.match(refused, { code: 'RATE_LIMITED', message: /COUNTERSIGN_CLIENT_BYTES_PER_SECOND/ })
    gateway.clock.advance(Number(refused['retryAfterMs']))
    t.match(await publish(), { type: 'published' }, 'after retryAfterMs')
  })

  t.test('bug: a session that joined and left random names filled the store', async t => {
    const gateway = await start(t, { config: { rateLimit: true, clientQuotas: { ...quotas, channels: 3 } } })
    const reader = await gateway.session(await gateway.createClient({ subscribe: ['*'] }))
    const other = await gateway.session(await gateway.createClient(allPermissions))
    t.match(await other.ask({ type: 'subscribe', channel: 'known' }), { type: 'subscribed' })
    for (let i = 0; i < 3; i++) {
      t.match(await reader.ask({ type: 'subscribe', channel: `random-${i}` }), { type: 'subscribed' })
      await reader.ask({ type: 'unsubscribe', channel: `random-${i}` })
    }
    const refused = await reader.ask({ type: 'subscribe', channel: 'random-3' })
    t.match(refused, { code: 'RATE_LIMITED', message: /3 new channels.*COUNTERSIGN_CLIENT_CHANNELS/ })
    t.equal(await gateway.store.channels.exists('random-3'), false)
    t.match(
      await reader.ask({ type: 'subscribe', channel: 'known' }),
      { type: 'subscribed' },
      'a known one may be joined'
    )
    const own = `client:${(await gateway.admin('GET', '/sessions')).body.items[0].clientId}`
    t.notMatch(own, 'undefined')
    t.match(await other.ask({ type: 'publish', channel: 'new', data: 1 }), { type: 'published' })
  })

  t.test('bug: the idempotency keys of one client made every other publish UNAVAILABLE', async t => {
    const clock = createClock()
    const { store } = await openStore(t, clock.now, { idempotencyResults: 30 })
    const config = { rateLimit: true, clientQuotas: quotas, bridgeTimeoutSeconds: 45, lingerMs: 0 }
    const gateway = await startGateway(t, { store, clock, transport, config })
    if (store.kind === 'redis') return
    const flooder = await gateway.session(await gateway.createClient(allPermissions))
    const other = await gateway.session(await gateway.createClient(allPermissions))
    const publish = (wire: typeof other, idempotencyKey: string) =>
      wire.ask({ type: 'publish', channel: 'c', data: 1, idempotencyKey })
    const first = await publish(flooder, 'k0')
    for (let i = 1; i < 3; i++) t.match(await publish(flooder, `k${i}`), { type: 'published' })
    t.match(await publish(flooder, 'k3'), { code: 'RATE_LIMITED', retryAfterMs: Number })
    t.match(await publish(flooder, 'k0'), { ...positionOf(first), duplicate: true }, 'a repeat is answered')
    t.match(await flooder.ask({ type: 'publish', channel: 'c', data: 1 }), { type: 'published' }, 'without a key')
    t.match(await publish(other, 'k0'), { type: 'published' })
  })

  t.test('bug: one token evaded every quota with tickets for invented clients', async t => {
    const clientQuotas = { ...quotas, historyBytes: 2500, channels: 2 }
    const gateway = await start(t, { config: { rateLimit: true, clientQuotas } })
    const makeTicket = await ticketsOf(gateway)
    const publishAs = async (clientId: string, channel: string, data: string) => {
      const wire = await gateway.session(await makeTicket(clientId))
      return wire.ask({ type: 'publish', channel, data })
    }
    const answers = []
    for (let i = 0; i < 6; i++) answers.push(await publishAs(`invented-${i}`, 'shared', kilobyte))
    t.equal(answers[3]?.type, 'published', 'twice what one client may keep')
    t.match(answers[5], { code: 'RATE_LIMITED', message: /all tickets of this token.*TOKEN_QUOTA_MULTIPLE/ })
    const otherTicket = await (await ticketsOf(gateway))('honest')
    const honest = await gateway.session(otherTicket)
    t.match(await honest.ask({ type: 'publish', channel: 'shared', data: kilobyte }), { type: 'published' })
    for (let i = 0; i < 4; i++) {
      const wire = await gateway.session(await makeTicket(`joiner-${i}`))
      const answer = await wire.ask({ type: 'subscribe', channel: `new-${i}` })
      t.match(answer, i < 3 ? { type: 'subscribed' } : { code: 'RATE_LIMITED' }, `${i + 1} new channels, besides one`)
    }
  })

  t.test('sizes stay bounded without rate limits', async t => {
    const clientQuotas = { ...quotas, bytesPerSecond: 1, historyBytes: 5000, channels: 1 }
    const gateway = await start(t, { config: { rateLimit: false, clientQuotas } })
    const publisher = await gateway.session(await gateway.createClient(allPermissions))
    const answers = []
    for (let i = 0; i < 8; i++) {
      answers.push(await publisher.ask({ type: 'publish', channel: `c${i}`, data: kilobyte }))
    }
    t.equal(answers[3]?.type, 'published')
    t.match(answers[7], { code: 'RATE_LIMITED', message: /COUNTERSIGN_CLIENT_HISTORY_BYTES/ })
  })
}
