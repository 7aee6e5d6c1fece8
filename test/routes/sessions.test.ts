import { caller, onEachStore } from './each-store.js'

/** `GET /v1/sessions`. */
onEachStore((t, { open }) => {
  t.test('GET /v1/sessions lists the live sessions of a client within the call patterns of a token', async t => {
    const { gateway, token, clock } = await open(t)
    const { createClient, session } = gateway
    const game = await createClient()
    const wires = [await session(game), await session(game)]
    await wires[0]?.ask({ type: 'attributes', attributes: { players: '7' } })
    const allowed = await token({ scopes: ['calls'], call: [`${game.clientId}/kick`] })
    const { status, body } = await allowed.call('GET', `/v1/sessions?clientId=${game.clientId}`)
    t.equal(status, 200)
    t.equal(body.items.length, 2)
    t.equal(body.next, undefined)
    const at = new Date(clock.now()).toISOString()
    const [item] = body.items.filter(
      ({ attributes }: { attributes: { players?: string } }) => attributes.players === '7'
    )
    t.same(
      { ...item, sessionId: undefined },
      {
        ...{ sessionId: undefined, clientId: game.clientId, transport: 'ws', openedAt: at, lastSeenAt: at },
        attributes: { players: '7' }
      }
    )
    const first = await allowed.call('GET', `/v1/sessions?clientId=${game.clientId}&limit=1`)
    t.equal(first.body.items.length, 1)
    const rest = await allowed.call('GET', `/v1/sessions?clientId=${game.clientId}&limit=1&after=${first.body.next}`)
    t.same([...first.body.items, ...rest.body.items], body.items)
    t.equal(rest.body.next, undefined, 'the last page is known to be the last')
  })

  t.test('GET /v1/sessions refuses other clients, other scopes and malformed queries', async t => {
    const { gateway, token } = await open(t)
    const game = await gateway.createClient()
    await gateway.session(game)
    const get = async (body: object, query: string) => (await token(body)).call('GET', `/v1/sessions?${query}`)
    const calls = { scopes: ['calls'], call: [`${game.clientId}/*`] }
    for (const clientId of ['nobody', `${game.clientId}x`]) {
      t.match(await get(calls, `clientId=${clientId}`), { status: 403, body: { code: 'PERMISSION_DENIED' } })
    }
    t.match(await get({ scopes: ['calls'] }, `clientId=${game.clientId}`), { status: 403 }, 'no pattern at all')
    t.match(await get({ scopes: ['read', 'publish'], call: ['*'] }, `clientId=${game.clientId}`), { status: 403 })
    t.match(await get({ scopes: ['calls'], call: ['*'] }, 'clientId=nobody'), { status: 200, body: { items: [] } })
    t.match(await get({ scopes: ['admin'] }, `clientId=${game.clientId}`), { status: 200, body: { items: [{}] } })
    for (const query of ['', 'clientId=a%20b', 'clientId=c&limit=0', 'clientId=c&limit=x', 'clientId=c&more=1']) {
      t.match(await get(calls, query), { status: 400, body: { code: 'BAD_REQUEST' } }, query)
    }
    t.match(await caller(gateway, 'wrong')('GET', '/v1/sessions?clientId=c'), { status: 401 })
  })
})
