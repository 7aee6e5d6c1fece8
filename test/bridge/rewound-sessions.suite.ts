import type { Test } from 'tap'
import type { Gateway } from '../helper/gateway.js'
import type { OpenStoreForTest } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { validate } from '../transport/harness.js'
import { frame, longPoll, open, startTwo, untilHeld, wrapExchange } from './harness.js'

const permissions = { subscribe: ['*'], publish: ['*'], call: ['*'] }

/** Sessions whose client proves a rewind of the store (PROTOCOL §10.5). */
export function rewoundSessionSuite(t: Test, openStore: OpenStoreForTest): void {
  for (const isElsewhere of [false, true]) {
    const where = isElsewhere ? 'another instance' : 'its own instance'
    t.test(`bug: a session that ended on ${where} since its client proved a rewind stayed listed`, async t => {
      const two = await startTwo(t, openStore, { config: { presence: ['room'] } })
      const { gateway, other, clock, store } = two
      const answering = isElsewhere ? other : gateway
      await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key', maxSessions: 1 })
      const credential = await gateway.createClient(permissions)
      const [wire, next] = [await open(two, credential), await open(two, credential)]
      await wire.ask({ type: 'subscribe', channel: 'room' })
      t.match(await wire.ask(validate), { code: 'VALID' })
      t.match(await next.ask(validate), { code: 'TOO_MANY_SESSIONS' })
      const call = { type: 'call', to: { sessionId: wire.sessionId }, method: 'm', timeoutMs: 30_000 }
      await next.exchange([frame(next, call)])
      t.match((await longPoll(wire)).frames, [{ type: 'call' }, { type: 'polled' }])
      await gateway.app.tick()
      t.match(await presentIn(gateway), [wire.sessionId])
      const held = longPoll(wire)
      await untilHeld(gateway, 1)

      t.equal((await wire.exchange([], { ack: wire.ack + 1, url: answering.url })).status, 404)
      for (const { url } of [gateway, other]) t.equal((await wire.exchange([], { url })).status, 404, 'at once')
      t.equal((await held).status, 404, 'a held poll ends')
      await until('it is not listed', async () => (await store.sessions.get(wire.sessionId)) === undefined)
      t.match(await next.next('error'), { code: 'CALL_TIMEOUT' }, 'its caller does not wait any longer')
      const { body } = await other.admin('GET', '/sessions')
      t.match(body.items, [{ sessionId: next.sessionId }])
      t.match(await next.ask(validate), { code: 'VALID' }, 'its slot is free')
      await gateway.app.tick()
      t.same(await presentIn(other), [])
      for (const { url } of [gateway, other]) t.equal((await wire.exchange([], { url })).status, 404)
      for (let i = 0; i < 10; i++) {
        clock.advance(20_000)
        await next.exchange([])
        for (const { app } of [gateway, other]) await app.tick()
      }
      t.equal(await countEnded(gateway, other), 1, 'counted once')
      for (const { url } of [gateway, other]) t.equal((await wire.exchange([], { url })).status, 404)
    })
  }

  t.test('a session that the store does not know stays in the directory until the reaper ends it', async t => {
    const lost = wrapExchange(() => ({ kind: 'missing', isRewound: false }))
    const two = await startTwo(t, openStore, {}, lost)
    const wire = await open(two)
    t.equal((await wire.exchange([])).status, 404)
    await two.gateway.app.tick()
    t.ok(await two.store.sessions.get(wire.sessionId))
    t.equal(await countEnded(two.gateway, two.other), 0)
  })
}

async function presentIn(gateway: Gateway): Promise<string[]> {
  const { body } = await gateway.admin('GET', '/channels/room/presence')
  return body.items.map(({ sessionId }: { sessionId: string }) => sessionId)
}

/** Bridge sessions that ended, whatever the code, on both instances together. */
async function countEnded(...gateways: readonly Gateway[]): Promise<number> {
  let count = 0
  for (const { url } of new Set(gateways)) {
    const text = await (await fetch(`${url}/metrics`)).text()
    for (const [, value] of text.matchAll(/sessions_ended_total\{transport="bridge",code="\w+"\} (\d+)/g)) {
      count += Number(value)
    }
  }
  return count
}
