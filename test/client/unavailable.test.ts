import t, { type Test } from 'tap'
import type { RequestError } from '../../src/client/errors.js'
import { openRedisStore } from '../../src/store/redis/index.js'
import { startGateway } from '../helper/gateway.js'
import { startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'
import { createClientOf, nextEvent } from './clients.js'
import { type ConnectedClient, connectToFakeGateway, sign } from './fake-gateway.js'

/** A publish whose outcome is unknown is repeated under the idempotency key of its first attempt. */

interface Sent {
  readonly type: string
  readonly seq: number
  readonly idempotencyKey: string
}

async function receive({ receive }: ConnectedClient): Promise<Sent> {
  return JSON.parse(await receive())
}

/** Starts to publish. @returns the error, once there is one */
function failureOf(connected: ConnectedClient, timeoutMs: number): Promise<RequestError> {
  return connected.client.publish('news', 1, { timeoutMs }).then(
    () => Promise.reject(new Error('it was published')),
    (error: RequestError) => error
  )
}

/** Refuses the frame `re`, and waits until the client has seen it. */
async function refuse({ socket, client }: ConnectedClient, seq: number, re: number, members: object): Promise<void> {
  const seen = nextEvent(client, 'frame')
  socket.send(sign({ type: 'error', seq, re, code: 'UNAVAILABLE', message: 'later', ...members }))
  await seen
}

t.test('bug: a publish that is answered UNAVAILABLE is repeated with its first idempotency key', async t => {
  const connected = await connectToFakeGateway(t)
  const { client, timers, socket } = connected
  const published = client.publish('news', { n: 1 })
  const first = await receive(connected)
  await refuse(connected, 2, first.seq, { retryAfterMs: 500, outcome: 'unknown' })
  timers.advance(499)
  const before = timers.running().length
  timers.advance(1)
  t.ok(timers.running().length < before, 'the pause is over')
  const second = await receive(connected)
  t.match(second, { type: 'publish', seq: first.seq + 1, idempotencyKey: first.idempotencyKey })
  socket.send(
    sign({ type: 'published', seq: 3, re: second.seq, channel: 'news', offset: 1, epoch: 'e', duplicate: true })
  )
  t.match(await published, { offset: 1, duplicate: true })
  t.end()
})

t.test('a publish that stays unavailable fails at its timeout, with its outcome', async t => {
  for (const [outcome, expected] of [
    ['unknown', 'unknown'],
    ['unsent', 'unsent'],
    [undefined, 'unknown']
  ] as const) {
    const connected = await connectToFakeGateway(t)
    const failure = failureOf(connected, 3000)
    const { seq } = await receive(connected)
    await refuse(connected, 2, seq, { retryAfterMs: 9000, ...(outcome === undefined ? {} : { outcome }) })
    connected.timers.advance(3000)
    t.match(await failure, { name: 'RequestError', code: 'UNAVAILABLE', retryAfterMs: 9000, outcome: expected })
    t.notOk(connected.timers.running().includes(6000), 'no repeat is left behind')
  }
})

t.test('a publish without an answer fails with an unknown outcome, one that was never sent is unsent', async t => {
  const connected = await connectToFakeGateway(t)
  const failure = failureOf(connected, 3000)
  await receive(connected)
  connected.timers.advance(3000)
  t.match(await failure, { code: 'TIMEOUT', outcome: 'unknown' })
  const lost = nextEvent(connected.client, 'lost')
  connected.socket.terminate()
  await lost
  const unsent = failureOf(connected, 1)
  connected.timers.advance(1)
  t.match(await unsent, { code: 'TIMEOUT', outcome: 'unsent' })
})

t.test('an unavailable validate fails at once, unlike a publish', async t => {
  const connected = await connectToFakeGateway(t)
  const failure = connected.client.validate({ serviceId: 's', key: 'k' }).catch((error: unknown) => error)
  const { seq } = await receive(connected)
  await refuse(connected, 2, seq, { retryAfterMs: 500, outcome: 'unknown' })
  t.match(await failure, { code: 'UNAVAILABLE', retryAfterMs: 500, outcome: 'unknown' })
})

async function startOnRedis(t: Test) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const store = await openRedisStore(redis.url)
  t.teardown(() => store.close())
  return { redis, gateway: await startGateway(t, { store }) }
}

t.test('bug: publishes during a pause of Redis arrive exactly once each', { timeout: 60_000 }, async t => {
  const { redis, gateway } = await startOnRedis(t)
  const credential = await gateway.createClient({ subscribe: ['*'], publish: ['*'] })
  const received: unknown[] = []
  const subscriber = createClientOf(t, gateway, { credential })
  const publisher = createClientOf(t, gateway, { credential })
  subscriber.subscribe('news', ({ data }) => received.push(data))
  const joined = nextEvent(subscriber, 'subscribed')
  const open = nextEvent(publisher, 'welcome')
  subscriber.connect()
  publisher.connect()
  await Promise.all([joined, open])
  const refusals: string[] = []
  publisher.on('frame', ({ direction, text }) => {
    if (direction === 'down' && text.includes('UNAVAILABLE')) refusals.push(text)
  })
  process.kill(redis.pid, 'SIGSTOP')
  const numbers = Array.from({ length: 10 }, (_, i) => i)
  const published = Promise.all(numbers.map(n => publisher.publish('news', n, { timeoutMs: 30_000 })))
  try {
    await until('every publish was refused once', () => Promise.resolve(refusals.length >= numbers.length))
  } finally {
    process.kill(redis.pid, 'SIGCONT')
  }
  t.ok(refusals.every(text => text.includes('"outcome":"unknown"')))
  t.equal((await published).length, numbers.length)
  await until('all have arrived', () => Promise.resolve(received.length >= numbers.length))
  t.same([...received].sort(), numbers)
})
