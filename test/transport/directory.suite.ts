import type { Test } from 'tap'
import { defaultLimits } from '../../src/protocol/limits.js'
import { createClock } from '../helper/clock.js'
import { type Gateway, startGateway } from '../helper/gateway.js'
import type { Message, Wire } from '../helper/wire.js'
import type { TransportAndStore } from './harness.js'

interface Listed {
  readonly sessionId: string
  readonly attributes: Record<string, string>
  readonly lastSeenAt: number
}

/** Attributes, and the directory of live sessions (PROTOCOL §15), whatever transport carries the sessions. */
export function directorySuite(t: Test, { transport, openStore }: TransportAndStore): void {
  async function startTwo(t: Test) {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    const config = { bridgeTimeoutSeconds: 45, heartbeatTimeoutSeconds: 45, lingerMs: 0 }
    const start = (store: Gateway['store']) => startGateway(t, { store, clock, transport, config })
    const gateway = await start(store)
    const second = await another()
    const other = second === store ? gateway : await start(second)
    // From its first tick on, the others know that an instance is alive.
    for (const { app } of [gateway, other]) await app.tick()
    return { clock, gateway, other }
  }

  async function open(gateway: Gateway, credential: { clientId: string; secret: string }, attributes?: object) {
    const wire = await gateway.wire()
    wire.raw(wire.authenticateFrame(credential, message => ({ ...message, ...(attributes && { attributes }) })))
    wire.seq = 2
    return { wire, sessionId: String((await wire.next('welcome'))['sessionId']) }
  }

  async function listed(wire: Wire, clientId: string, members: object = {}) {
    const answer = await wire.ask({ type: 'sessions', clientId, ...members })
    if (answer.type !== 'sessions') throw new Error(JSON.stringify(answer))
    return { sessions: answer['sessions'] as Listed[], next: answer['next'] }
  }

  t.test('sessions: lists the live sessions of a client on all instances, with their attributes', async t => {
    const { clock, gateway, other } = await startTwo(t)
    const game = await gateway.createClient()
    const panel = await gateway.createClient({ call: [`${game.clientId}/kick`] })
    const servers = [await open(gateway, game, { placeId: '1' }), await open(other, game)]
    const { wire } = await open(other, panel)
    const ids = servers.map(({ sessionId }) => sessionId).sort()
    const { sessions, next } = await listed(wire, game.clientId)
    t.same(
      sessions.map(({ sessionId }) => sessionId),
      ids
    )
    t.equal(next, undefined)
    t.same(
      sessions.find(({ sessionId }) => sessionId === servers[0]?.sessionId),
      {
        ...{ sessionId: servers[0]?.sessionId, clientId: game.clientId, transport, openedAt: clock.now() },
        ...{ lastSeenAt: clock.now(), attributes: { placeId: '1' } }
      }
    )
    const first = await listed(wire, game.clientId, { limit: 1 })
    t.same([first.sessions[0]?.sessionId, first.next], [ids[0], ids[0]])
    const second = await listed(wire, game.clientId, { limit: 1, after: first.next })
    t.same([second.sessions[0]?.sessionId, second.next], [ids[1], undefined])
    const [one] = servers
    await one?.wire.ask({ type: 'bye' })
    await one?.wire.closed()
    t.same((await listed(wire, game.clientId)).sessions.length, 1, 'an ended session is gone')
  })

  t.test('sessions: states when each was last seen', async t => {
    const { clock, gateway } = await startTwo(t)
    const game = await gateway.createClient()
    const [active, silent] = [await open(gateway, game), await open(gateway, game)]
    const { wire } = await open(gateway, await gateway.createClient({ call: ['*'] }))
    await gateway.app.tick()
    clock.advance(20_000)
    await active.wire.ask({ type: 'heartbeat' })
    await gateway.app.tick()
    const { sessions } = await listed(wire, game.clientId)
    const seen = ({ sessionId }: { sessionId: string }) =>
      sessions.find(each => each.sessionId === sessionId)?.lastSeenAt
    t.equal(seen(active), clock.now())
    t.equal(seen(silent), clock.now() - 20_000)
    clock.advance(36_000)
    await wire.ask({ type: 'heartbeat' })
    t.same(
      (await listed(wire, game.clientId)).sessions.map(({ sessionId }) => sessionId),
      [active.sessionId],
      'a dead session is not listed, even before it is reaped'
    )
  })

  t.test('sessions: refuses clients that the asker may not call, and reveals nothing of them', async t => {
    const { gateway } = await startTwo(t)
    const game = await gateway.createClient()
    await open(gateway, game)
    const { wire } = await open(gateway, await gateway.createClient({ call: [`${game.clientId}/*`, 'another/kick'] }))
    t.equal((await listed(wire, game.clientId)).sessions.length, 1)
    t.same((await listed(wire, 'another')).sessions, [])
    const prefix = game.clientId.slice(0, -1)
    const refusals = []
    for (const clientId of [prefix, `${game.clientId}x`, 'nobody']) {
      const { code, message } = await wire.ask({ type: 'sessions', clientId })
      refusals.push([code, String(message).replace(clientId, '')])
    }
    t.equal(new Set(refusals.map(String)).size, 1, 'the same, whether there is such a client')
    t.equal(refusals[0]?.[0], 'PERMISSION_DENIED')
    const { wire: nobody } = await open(gateway, game)
    t.match(await nobody.ask({ type: 'sessions', clientId: game.clientId }), { code: 'PERMISSION_DENIED' }, 'its own')
  })

  t.test('sessions: a list has a bounded number of bytes, and continues', async t => {
    const { gateway } = await startTwo(t)
    const game = await gateway.createClient()
    const attributes = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`n${i}`, '\u0001'.repeat(128)]))
    const servers = await Promise.all(Array.from({ length: 12 }, () => open(gateway, game)))
    for (const { wire } of servers) t.match(await wire.ask({ type: 'attributes', attributes }), { type: 'ack' })
    const { wire } = await open(gateway, await gateway.createClient({ call: ['*'] }))
    const all: string[] = []
    let after: unknown
    do {
      const page = await listed(wire, game.clientId, after === undefined ? {} : { after })
      t.ok(JSON.stringify(page.sessions).length < defaultLimits.listBytes)
      all.push(...page.sessions.map(({ sessionId }) => sessionId))
      after = page.next
    } while (after !== undefined)
    t.same(all, servers.map(({ sessionId }) => sessionId).sort())
  })

  t.test('attributes: replace those of the handshake, in all lists', async t => {
    const { gateway, other } = await startTwo(t)
    const game = await gateway.createClient()
    const { wire, sessionId } = await open(gateway, game, { placeId: '1', old: 'x' })
    const { wire: panel } = await open(other, await gateway.createClient({ call: ['*'] }))
    const current = async () => (await listed(panel, game.clientId)).sessions[0]?.attributes
    t.match(await wire.ask({ type: 'attributes', attributes: { players: '12', name: 'ü'.repeat(64) } }), {
      type: 'ack'
    })
    t.same(await current(), { players: '12', name: 'ü'.repeat(64) })
    t.match(
      (await other.admin('GET', '/sessions')).body.items.find((each: Listed) => each.sessionId === sessionId),
      {
        attributes: { players: '12' }
      }
    )
    t.match(await wire.ask({ type: 'attributes', attributes: [] }), { type: 'ack' }, 'an empty list is an empty object')
    t.same(await current(), {})
  })

  t.test('attributes: those of a ticket are fixed and win', async t => {
    const { gateway } = await startTwo(t)
    const headers = {
      authorization: `Bearer test-admin-token-0123456789-0123456789`,
      'content-type': 'application/json'
    }
    const fixed = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`t${i}`, 'ticket']))
    const body = JSON.stringify({ clientId: 'web', attributes: fixed })
    const ticket = await (await fetch(`${gateway.url}/v1/tickets`, { method: 'POST', headers, body })).json()
    const { wire } = await open(gateway, ticket as { clientId: string; secret: string }, { t1: 'mine', own: '1' })
    const { wire: panel } = await open(gateway, await gateway.createClient({ call: ['*'] }))
    const current = async () => (await listed(panel, 'web')).sessions[0]?.attributes
    t.same(await current(), { ...fixed, own: '1' })
    t.match(await wire.ask({ type: 'attributes', attributes: { t2: 'mine', other: '2' } }), { type: 'ack' })
    t.same(await current(), { ...fixed, other: '2' })
    const many = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`m${i}`, '']))
    const refused = await wire.ask({ type: 'attributes', attributes: many })
    t.match(refused, { code: 'INVALID_MESSAGE', message: /^attributes: 17 .* limit is 16/ })
    t.same(await current(), { ...fixed, other: '2' }, 'nothing changed')
  })

  t.test('sessions and attributes: refuse members out of range by their name', async t => {
    const { gateway } = await startTwo(t)
    const { wire } = await open(gateway, await gateway.createClient({ call: ['*'] }))
    const seventeen = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`n${i}`, '']))
    const refused: [Message, RegExp][] = [
      [{ type: 'sessions' }, /^clientId is missing/],
      [{ type: 'sessions', clientId: 'a b' }, /^clientId/],
      [{ type: 'sessions', clientId: 'x'.repeat(65) }, /^clientId/],
      [{ type: 'sessions', clientId: 7 }, /^clientId/],
      [{ type: 'sessions', clientId: 'c', limit: 0 }, /^limit: expected an integer from 1 to 100/],
      [{ type: 'sessions', clientId: 'c', limit: 101 }, /^limit/],
      [{ type: 'sessions', clientId: 'c', limit: '5' }, /^limit/],
      [{ type: 'sessions', clientId: 'c', after: '' }, /^after/],
      [{ type: 'sessions', clientId: 'c', after: 'x'.repeat(65) }, /^after/],
      [{ type: 'attributes' }, /^attributes is missing/],
      [{ type: 'attributes', attributes: 'x' }, /^attributes/],
      [{ type: 'attributes', attributes: null }, /^attributes/],
      [{ type: 'attributes', attributes: { n: 1 } }, /^attributes/],
      [{ type: 'attributes', attributes: { '': 'x' } }, /^attributes/],
      [{ type: 'attributes', attributes: { n: 'ü'.repeat(65) } }, /^attributes/],
      [{ type: 'attributes', attributes: { ['ü'.repeat(17)]: '' } }, /^attributes/],
      [{ type: 'attributes', attributes: seventeen }, /^attributes/]
    ]
    for (const [message, text] of refused) {
      const answer = await wire.ask(message)
      t.match(answer, { type: 'error', code: 'INVALID_MESSAGE', message: text }, JSON.stringify(message).slice(0, 80))
    }
    t.match(await wire.ask({ type: 'attributes', attributes: { n: 'ü'.repeat(64) } }), { type: 'ack' })
    t.match(await wire.ask({ type: 'sessions', clientId: 'c', limit: 100 }), { type: 'sessions', sessions: [] })
  })

  t.test('sessions: those of an instance that was killed are not listed for long', async t => {
    const clock = createClock()
    const { store, another } = await openStore(t, clock.now)
    if (store.kind === 'embedded' || transport === 'bridge') return
    const config = { heartbeatTimeoutSeconds: 3600, heartbeatIntervalSeconds: 100, lingerMs: 0 }
    const killedStore = await another()
    let isKilled = false
    const heartbeat: typeof killedStore.bridge.heartbeat = async (...all) => {
      if (!isKilled) await killedStore.bridge.heartbeat(all[0], 50, all[2])
    }
    const mortal = { ...killedStore, bridge: { ...killedStore.bridge, heartbeat } }
    const killed = await startGateway(t, { store: mortal, clock, config })
    const other = await startGateway(t, { store, clock, config })
    const game = await other.createClient()
    await open(killed, game)
    const { wire } = await open(other, await other.createClient({ call: ['*'] }))
    await killed.app.tick()
    t.equal((await listed(wire, game.clientId)).sessions.length, 1)
    isKilled = true
    while ((await listed(wire, game.clientId)).sessions.length > 0) clock.advance(1000)
    t.pass('its heartbeat ended')
  })
}
