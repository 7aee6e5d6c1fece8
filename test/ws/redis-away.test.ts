import t from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import { createClock } from '../helper/clock.js'
import { startGateway } from '../helper/gateway.js'
import { startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'

/** A real Redis that stops answering, or dies, while sessions are open (PROTOCOL §7.3, UNAVAILABLE). */

const all = { subscribe: ['*'], publish: ['*'] }

for (const [how, stop, resume] of [
  ['stops answering', 'SIGSTOP', 'SIGCONT'],
  ['is killed', undefined, undefined]
] as const) {
  t.test(`Redis ${how}: sessions stay open, requests that need it get UNAVAILABLE, and service resumes`, async t => {
    const redis = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''])
    t.teardown(async () => {
      if (resume !== undefined) process.kill(redis.pid, resume)
      await redis.stop()
    })
    const clock = createClock()
    const gateway = await startGateway(t, { store: await openRedisStore(redis.url), clock })
    const credential = await gateway.createClient(all)
    await gateway.admin('POST', '/licenses', { serviceId: 'svc', key: 'key' })
    const wires = await Promise.all([1, 2, 3, 4].map(() => gateway.session(credential)))
    const [wire] = wires
    if (wire === undefined) throw new Error('no session')
    for (const each of wires) await each.ask({ type: 'subscribe', channel: 'c' })

    if (stop === undefined) await redis.kill()
    else process.kill(redis.pid, stop)
    // Each on its own session: the answers of one session come in order and would wait for each other.
    const requests = [
      { type: 'validate', serviceId: 'svc', hwid: 'h', key: 'key' },
      { type: 'subscribe', channel: 'd' },
      { type: 'subscribe', channel: 'c' },
      { type: 'publish', channel: 'c', data: 1, idempotencyKey: 'k' }
    ]
    const answers = await Promise.all(requests.map((message, i) => wires[i]?.ask(message)))
    for (const answer of answers) t.match(answer, { type: 'error', code: 'UNAVAILABLE', retryAfterMs: 1000 })
    t.match(await wire.ask({ type: 'heartbeat' }), { type: 'heartbeat' }, 'heartbeats need no store')
    await t.rejects(gateway.wire(), 'no new handshake')
    // Heartbeats to the store and position checks fail; no session ends for it.
    const tick = gateway.app.tick()
    clock.advance(20_000)
    for (const each of wires) t.match(await each.ask({ type: 'heartbeat' }), { type: 'heartbeat' })
    await tick
    t.equal(gateway.app.sessionCount(), 4)

    if (resume === undefined) await redis.start()
    else process.kill(redis.pid, resume)
    await until('the store is back', async () => {
      await gateway.app.tick()
      return (await fetch(`${gateway.url}/readyz`)).status === 200
    })
    const checker = await gateway.session(credential)
    t.match(await checker.ask({ type: 'validate', serviceId: 'svc', hwid: 'h', key: 'key' }), { code: 'VALID' })

    // The session may have lost its subscription, or received what was published before: it subscribes again.
    const past = async (re: number) => {
      for (;;) {
        const answer = await wire.next()
        if (answer['re'] === re) return answer
      }
    }
    await past(wire.send({ type: 'unsubscribe', channel: 'c' }))
    const joined = await wire.ask({ type: 'subscribe', channel: 'c' })
    t.match(joined, { type: 'subscribed' })
    const sent = wire.send({ type: 'publish', channel: 'c', data: 2 })
    const both = [await wire.next(), await wire.next()]
    const offset = Number(joined['offset']) + 1
    t.match(
      both.find(({ type }) => type === 'published'),
      { re: sent, offset }
    )
    t.match(
      both.find(({ type }) => type === 'publication'),
      { offset, data: 2 }
    )
  })
}

t.test('bug: each of several messages waited for the timeout of a silent Redis, one after another', async t => {
  const redis = await startRedis()
  const store = await openRedisStore(redis.url)
  t.teardown(async () => {
    process.kill(redis.pid, 'SIGCONT')
    await store.close()
    await redis.stop()
  })
  const gateway = await startGateway(t, { store, clock: { ...createClock(), now: Date.now } })
  const wire = await gateway.session(await gateway.createClient(all))
  const publish = { type: 'publish', channel: 'c', data: 1 }
  process.kill(redis.pid, 'SIGSTOP')
  for (const message of [publish, publish, { type: 'heartbeat' }, publish]) wire.send(message)
  t.match(await wire.next('error'), { code: 'UNAVAILABLE', outcome: 'unknown' })
  t.match(await wire.next('error'), { code: 'UNAVAILABLE', outcome: 'unsent', retryAfterMs: 1000 })
  t.match(await wire.next('heartbeat'), {}, 'it needs no store')
  t.match(await wire.next('error'), { code: 'UNAVAILABLE', outcome: 'unsent' })
  process.kill(redis.pid, 'SIGCONT')
  await until('it serves again', async () => (await wire.ask(publish))['type'] === 'published')
})
