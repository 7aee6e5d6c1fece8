import t, { type Test } from 'tap'
import type { CountersignClient } from '../../src/client/client.js'
import { startGateway } from '../helper/gateway.js'
import { nest } from '../transport/harness.js'
import { createClientOf, nextEvent } from './clients.js'
import { connectToFakeGateway } from './fake-gateway.js'

/** Invalid requests are refused before they are sent, and the session stays up. */

const all = { subscribe: ['*'], publish: ['*'], services: ['*'] }

async function connected(t: Test): Promise<CountersignClient> {
  const gateway = await startGateway(t)
  const client = createClientOf(t, gateway, { credential: await gateway.createClient(all) })
  const open = nextEvent(client, 'welcome')
  client.connect()
  await open
  client.on('lost', () => t.fail('the session was lost'))
  client.on('stopped', () => t.fail('the client has stopped'))
  return client
}

const circular: unknown[] = [1]
circular.push([circular])

const badData: [name: string, data: unknown, path: string, message: RegExp][] = [
  ['a 100 kB publish', 'x'.repeat(100_000), 'data', /data is 100,002 bytes; the limit is 32,768 \(limits\.dataBytes\)/],
  ['half an emoji', 'nice 😀'.slice(0, 6), 'data', /surrogate/],
  ['half an emoji in a list', { chat: ['ok', { 'a b': '\udc00' }] }, 'data.chat[1]["a b"]', /surrogate/],
  ['half an emoji in a name', { '\ud800': 1 }, 'data["\\ud800"]', /surrogate/],
  ['data 41 levels deep', nest(41), `data${'[0]'.repeat(31)}`, /deeper than 32 levels/],
  ['data of one level too many', nest(32), `data${'[0]'.repeat(31)}`, /limits\.depth/],
  ['NaN', { x: [Number.NaN] }, 'data.x[0]', /NaN is not a JSON number/],
  ['infinity', { x: Number.POSITIVE_INFINITY }, 'data.x', /Infinity/],
  ['undefined', undefined, 'data', /undefined/],
  ['a function', { run: () => 1 }, 'data.run', /function/],
  ['a BigInt', [10n], 'data[0]', /bigint/],
  ['a symbol', { s: Symbol('s') }, 'data.s', /symbol/],
  ['a Uint8Array', { file: new Uint8Array(2) }, 'data.file', /base64/],
  ['an ArrayBuffer', new ArrayBuffer(2), 'data', /base64/],
  ['a Buffer', Buffer.from('x'), 'data', /base64/],
  ['a Map', { m: new Map() }, 'data.m', /Map/],
  ['a promise', { p: Promise.resolve(1) }, 'data.p', /await/],
  ['a circular reference', circular, 'data[1][0]', /circular/],
  ['a list without an end', new Array(2 ** 30), 'data', /characters/],
  [
    'a getter that throws',
    {
      get x() {
        throw new Error('no')
      }
    },
    'data.x',
    /no/
  ],
  [
    'a toJSON that throws',
    {
      toJSON() {
        throw new Error('no')
      }
    },
    'data',
    /toJSON/
  ]
]

t.test('bug: data that the gateway refuses ended the session, or stopped the client permanently', async t => {
  const client = await connected(t)
  for (const [name, data, path, message] of badData) {
    await t.rejects(
      client.publish('c', data),
      { code: 'INVALID_MESSAGE', path: path.startsWith('data[0][0]') ? /^data/ : path, message },
      name
    )
  }
  t.equal((await client.publish('c', nest(31))).offset, 1, 'as deep as allowed, and nothing else was sent')
  t.equal((await client.publish('c', 'x'.repeat(32_766))).offset, 2, 'as long as allowed')
})

t.test('encodes data as JSON does', async t => {
  const client = await connected(t)
  const received: unknown[] = []
  await client.subscribe('c', ({ data }) => received.push(data)).ready
  const date = new Date(0)
  const data = {
    left: undefined,
    list: [undefined, null],
    date,
    text: 'ß😀\u2028"\n',
    boxed: Object(5),
    n: -0,
    __proto__: 1
  }
  await client.publish('c', data)
  await client.publish('c', null)
  await client.heartbeat()
  t.same(received, [JSON.parse(JSON.stringify(data)), null])
})

t.test('bug: a request with a member out of bounds was sent', async t => {
  const { client, socket } = await connectToFakeGateway(t)
  socket.on('message', () => t.fail('nothing is sent'))
  const key = { idempotencyKey: '' }
  await t.rejects(client.publish('c', 1, key), { code: 'INVALID_MESSAGE', path: 'idempotencyKey', outcome: 'unsent' })
  await t.rejects(client.publish('c', 1, { idempotencyKey: 'x'.repeat(65) }), {
    code: 'INVALID_MESSAGE',
    path: 'idempotencyKey'
  })
  await t.rejects(client.publish('c', 1, { idempotencyKey: '\ud800' }), {
    code: 'INVALID_MESSAGE',
    path: 'idempotencyKey'
  })
  for (const channel of [
    '',
    'no good',
    'x'.repeat(129),
    '\ud800',
    5 as unknown as string,
    undefined as unknown as string
  ]) {
    await t.rejects(
      client.publish(channel, 1),
      { code: /INVALID_CHANNEL|INVALID_MESSAGE/, path: 'channel' },
      String(channel)
    )
  }
  await t.rejects(client.validate({ serviceId: 'no good', key: 'k' }), { code: 'INVALID_MESSAGE', path: 'serviceId' })
  await t.rejects(client.validate({ serviceId: 's', key: 'k', hwid: '' }), { code: 'INVALID_MESSAGE', path: 'hwid' })
  await t.rejects(client.validate({ serviceId: 's', key: '\udfff' }), { code: 'INVALID_MESSAGE', path: 'key' })
  await t.rejects(client.validate({ serviceId: 's' } as { serviceId: string; key: string }), {
    code: 'INVALID_MESSAGE',
    path: 'key',
    message: 'key: expected text of 1 to 256 bytes'
  })
})

t.test('bug: an infinite time-out failed at once', async t => {
  const { client, timers, lines } = await connectToFakeGateway(t)
  const settled: unknown[] = []
  for (const timeoutMs of [Number.POSITIVE_INFINITY, 2 ** 40]) {
    client.heartbeat({ timeoutMs }).catch(error => settled.push(error))
  }
  timers.advance(5000)
  await new Promise(resolve => setImmediate(resolve))
  t.same(settled, [])
  t.ok(
    timers.running().some(ms => ms > 2 ** 30 && ms < 2 ** 31),
    'the longest timer'
  )
  for (const timeoutMs of [Number.NaN, 0, -1, '5' as unknown as number]) {
    await t.rejects(client.heartbeat({ timeoutMs }), { code: 'INVALID_MESSAGE', path: 'timeoutMs' }, String(timeoutMs))
  }
  t.same(lines, [])
})

t.test('refuses a channel in `ready`, which may be ignored', async t => {
  const client = await connected(t)
  const troubles: string[] = []
  client.on('trouble', ({ reason }) => troubles.push(reason))
  client.subscribe('no good', () => {})
  await t.rejects(client.subscribe('a b', () => {}).ready, { code: 'INVALID_CHANNEL', path: 'channel' })
  const recover = { offset: -1, epoch: 'e' }
  await t.rejects(client.subscribe('c', () => {}, { recover }).ready, { code: 'INVALID_MESSAGE', path: 'recover' })
  t.match(troubles, [
    /^INVALID_CHANNEL for channel no good: channel: expected a channel name/,
    /^INVALID_CHANNEL for channel a b/,
    /^INVALID_MESSAGE for channel c: recover: expected \{ offset, epoch \}/
  ])
  t.match(await client.subscribe('c', () => {}).ready, { offset: 0, recovered: false }, 'the session is up')
})

t.test('bug: a handler that was refused here made its joined channel look unsubscribed', async t => {
  const client = await connected(t)
  client.on('trouble', () => {})
  client.on('unsubscribed', ({ channel, code }) => t.fail(`${code} for ${channel}`))
  const received: unknown[] = []
  await client.subscribe('c', ({ data }) => received.push(data)).ready
  await t.rejects(client.subscribe('c', () => {}, { last: 0 }).ready, { code: 'INVALID_MESSAGE', path: 'last' })
  await client.publish('c', 1)
  await client.heartbeat()
  t.same(received, [1], 'the other handler is still joined')
})

t.test('bug: a first visit without a saved position, and a method of a wrong type', async t => {
  const client = await connected(t)
  t.match(await client.subscribe('c', () => {}, { recover: JSON.parse('null') }).ready, { recovered: false })
  for (const method of [5, undefined, null] as unknown as string[]) {
    t.throws(() => client.handle(method, () => {}), { code: 'INVALID_MESSAGE', path: 'method' })
  }
  const nothing = undefined as unknown as { serviceId: string; key: string }
  await t.rejects(client.validate(nothing), { name: 'RequestError', code: 'INVALID_MESSAGE', path: 'serviceId' })
})

t.test('bug: a repeated publish had the data of its last attempt', async t => {
  const { client, receive } = await connectToFakeGateway(t)
  const data = { n: 1 }
  client.publish('c', data).catch(() => {})
  data.n = 2
  t.match(JSON.parse(await receive()), { data: { n: 1 } })
})

t.test('checks a request against the limits of the session that opens', async t => {
  const { client, socket } = await connectToFakeGateway(t, { limits: { dataBytes: 10, frameBytes: 300, depth: 4 } })
  socket.on('message', () => t.fail('nothing is sent'))
  await t.rejects(client.publish('c', 'x'.repeat(9)), { path: 'data', message: /11 bytes; the limit is 10/ })
  await t.rejects(client.publish('c', nest(4)), { path: 'data[0][0][0]', message: /4 levels/ })
  await t.rejects(client.publish('c'.repeat(128), 1, { idempotencyKey: 'k'.repeat(64) }), {
    message: /limits\.frameBytes/
  })
})
