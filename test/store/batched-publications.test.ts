import fc from 'fast-check'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { ChannelStore, Dropped, Published } from '../../src/store/channels.js'
import type { RedisStoreOptions } from '../../src/store/redis/index.js'
import { maxBatchCalls } from '../../src/store/redis/script-batches.js'
import { StoreUnavailable } from '../../src/store/store.js'
import { startRedis } from '../helper/redis-server.js'
import { redisUrl } from '../helper/stores.js'
import { until } from '../helper/until.js'
import { connectionsTo, openBatched, scriptsDuring, serverOf } from './batch-helpers.js'
import { publish, record } from './channel-helpers.js'

/** Publications of one turn of the event loop, which share a script, against the same ones one after the other. */

async function open(t: Test, url = redisUrl(), options: RedisStoreOptions = {}) {
  const { store, root, prefix } = await openBatched(t, url, options)
  return { channels: store.channels, root, prefix, keyOf: (channel: string) => `${prefix}:channel:{${channel}}` }
}

const openServer = async (t: Test) => open(t, await serverOf(t))

interface Step {
  readonly channel: string
  readonly data: string
  readonly idempotencyKey: string
  readonly owners: string
  /** Milliseconds after the publication before. */
  readonly afterMs: number
}

const step = fc.record<Step>({
  channel: fc.constantFrom('a', 'b', 'c', 'session:s', 'text', 'list', 'fields', 'history', 'result'),
  data: fc.constantFrom('1', '"22"', '"ä:€"', `"${'x'.repeat(150)}"`, `"${'y'.repeat(500)}"`),
  idempotencyKey: fc.constantFrom('', '', 'k1', 'k2'),
  owners: fc.constantFrom('', 'client', 'b,tickets:t'),
  afterMs: fc.constantFrom(0, 0, 1, 700, 40_000)
})

const start = 1_700_000_000_000

/** Puts values there that no gateway wrote. */
async function spoil(root: Redis, keyOf: (channel: string) => string): Promise<void> {
  await root.set(keyOf('text'), 'garbage')
  await root.rpush(keyOf('list'), 'garbage')
  await root.set(`${keyOf('history')}@history`, 'garbage')
  for (const key of ['k1', 'k2']) await root.rpush(`${keyOf('result')}@result:${key}`, 'garbage')
}

/** All that can be seen of channels, with numbers in place of epochs. */
async function run(t: Test, steps: readonly Step[], turns: readonly number[]) {
  const options = { history: { size: 4, lifeMs: 60_000 }, channelBytes: 400 }
  const { channels, root, prefix, keyOf } = await open(t, redisUrl(), options)
  await spoil(root, keyOf)
  const drops: Dropped[] = []
  channels.onDrop(dropped => void drops.push(dropped))
  const { heard } = record(channels)
  const names = [...new Set(steps.map(({ channel }) => channel))]
  await channels.listen([...names, 'end'])
  // A channel of the right form with the identity of this server, but no numbers.
  await publish(channels, 'fields', '0')
  await root.hset(keyOf('fields'), 'offset', 'x')

  let at = start
  const results: (Published | 'conflict' | string)[] = []
  const left = [...steps]
  for (let i = 0; left.length > 0; i++) {
    const turn = left.splice(0, turns[i % turns.length] ?? 1).map(({ afterMs, channel, data, ...options }) => {
      at += afterMs
      return (channels.publish(channel, data, { ...options, publishedAt: at }) as Promise<Published>).catch(outcomeOf)
    })
    results.push(...(await Promise.all(turn)))
  }
  await publish(channels, 'end', '1')
  await until('all were received', () => heard.some(({ channel }) => channel === 'end'))
  const stored: Record<string, unknown> = {}
  for (const key of (await root.keys(`${prefix}:channel:*`)).sort()) {
    const type = await root.type(key)
    const life = await root.pttl(key)
    const value =
      type === 'hash' ? await root.hgetall(key) : type === 'list' ? await root.lrange(key, 0, -1) : await root.get(key)
    stored[key.slice(prefix.length)] = { value, isEnding: life > 0, minutes: Math.round(life / 60_000) }
  }
  const byChannel = names.map(name => heard.filter(({ channel }) => channel === name))
  drops.sort((a, b) => a.publishedAt - b.publishedAt || a.bytes - b.bytes || (a.owners < b.owners ? -1 : 1))
  return normalized({ results, drops, byChannel, stored }, prefix)
}

function outcomeOf(error: unknown): string {
  if (!(error instanceof StoreUnavailable)) throw error
  return `${error.outcome}: ${error.cause instanceof Error ? error.cause.message : ''}`
}

/** Epochs by the order in which they are first seen per channel, and no prefix. */
function normalized(seen: object, prefix: string): unknown {
  const epochs = new Map<string, number>()
  const text = JSON.stringify(seen).replaceAll(prefix, 'prefix')
  const found = text.matchAll(/"epoch":"([^"]+)"/g)
  for (const [, epoch = ''] of found) if (!epochs.has(epoch)) epochs.set(epoch, epochs.size)
  let plain = text
  for (const [epoch, number] of epochs) plain = plain.replaceAll(epoch, `epoch ${number}`)
  return JSON.parse(plain.replace(/user_script:\d+|[0-9a-f]{40}/g, ''))
}

t.test('property: publications of one turn have the results that they have one after the other', async t => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 2, maxLength: 60 }),
      fc.array(fc.constantFrom(2, 7, 50), { minLength: 1, maxLength: 4 }),
      async (steps, turns) => {
        const [together, alone] = [await run(t, steps, turns), await run(t, steps, [1])]
        if (!t.same(together, alone)) throw new Error('they differ')
      }
    ),
    { numRuns: 25 }
  )
})

function publishMany(channels: ChannelStore, count: number) {
  return Promise.all(Array.from({ length: count }, (_, i) => publish(channels, `c${i % 3}`, `${i}`)))
}

t.test('publications of one turn are one script, up to its bound', async t => {
  const { channels, root } = await openServer(t)
  await publish(channels, 'c0', '0')
  t.equal(await scriptsDuring(root, () => publishMany(channels, 20)), 1)
  t.equal(await scriptsDuring(root, () => publishMany(channels, maxBatchCalls + 1)), 2)
  const large = JSON.stringify('x'.repeat(15_000))
  const publishLarge = () => Promise.all([1, 2, 3, 4, 5].map(() => publish(channels, 'large', large)))
  t.equal(await scriptsDuring(root, publishLarge), 3, 'two have as many bytes as one script')
  t.equal((await channels.read('large', undefined, 0)).top.offset, 5)
})

t.test('reads publications made earlier in the same turn', async t => {
  const { channels } = await open(t)
  const pending = [publish(channels, 'a', '1', 'k'), publish(channels, 'b', '1')]
  const { top } = await channels.read('a', undefined, 0)
  t.equal(top.offset, 1)
  pending.push(publish(channels, 'a', '2'))
  t.match(await channels.newest('a', { limit: 9, maxBytes: 99 }), { publications: [{ offset: 1 }, { offset: 2 }] })
  pending.push(publish(channels, 'b', '2'))
  t.match(await channels.tops(['b']), [{ offset: 2 }])
  pending.push(publish(channels, 'c', '1'))
  t.equal(await channels.exists('c'), true)
  pending.push(publish(channels, 'c', '2', 'k'))
  const repeat = await channels.findRepeat('c', '2', { publishedAt: 1, idempotencyKey: 'k' })
  t.match(repeat, { offset: 2, duplicate: true })
  await Promise.all(pending)
})

t.test('goes on after Redis has forgotten the script', async t => {
  const { channels, root } = await openServer(t)
  await publishMany(channels, 3)
  await root.script('FLUSH')
  const positions = await publishMany(channels, 9)
  t.same(
    positions.map(({ offset }) => offset),
    [2, 2, 2, 3, 3, 3, 4, 4, 4]
  )
})

t.test('a server that refuses writes refuses each publication, and answers a repeat', async t => {
  const { channels, root } = await openServer(t)
  const first = await publish(channels, 'a', '1', 'k')
  const both = () =>
    Promise.allSettled([publish(channels, 'b', '1'), publish(channels, 'a', '1', 'k'), publish(channels, 'c', '1')])
  const unsent = (message: RegExp) => ({ status: 'rejected', reason: { outcome: 'unsent', cause: { message } } })
  const refused = { OOM: ['maxmemory', '1', '0'], NOREPLICAS: ['min-replicas-to-write', '1', '0'] } as const
  for (const [code, [name, value, before]] of Object.entries(refused)) {
    await root.config('SET', name, value)
    const refusal = unsent(new RegExp(`^${code}`))
    t.match(await both(), [refusal, { value: { ...first, duplicate: true } }, refusal], code)
    await root.config('SET', name, before)
  }
  t.equal(await channels.exists('b'), false, 'nothing was written')
  t.match(await both(), [{ value: { offset: 1 } }, {}, { value: { offset: 1 } }])
})

t.test('a demoted server fails the whole script, so that the gateway connects again', async t => {
  const { channels, root } = await openServer(t)
  await publish(channels, 'a', '1', 'k')
  const before = await connectionsTo(root)
  await root.call('REPLICAOF', '127.0.0.1', '1')
  const refused = await Promise.allSettled([publish(channels, 'b', '1'), publish(channels, 'c', '1')])
  t.match(refused, [{ reason: { outcome: 'unsent' } }, { reason: { outcome: 'unsent' } }])
  await until('it has connected again', async () => (await connectionsTo(root)) > before)
  await root.call('REPLICAOF', 'NO', 'ONE')
  await until('it publishes again', () =>
    publish(channels, 'b', '1').then(
      () => true,
      () => false
    )
  )
})

t.test('bug: a publication that Redis refused halfway left the history ahead of its offset', async t => {
  const server = await startRedis(['--save', ''])
  t.teardown(() => server.stop())
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  await admin.call('ACL', 'SETUSER', 'gateway', 'on', '>pw', '~*', '&*', '+@all')
  const url = server.url.replace('//', '//gateway:pw@')
  for (const command of ['spublish', 'lpop', 'set']) {
    const { channels } = await open(t, url, { history: { size: 3, lifeMs: 60_000 } })
    const { epoch } = await publish(channels, 'a', '1')
    await publish(channels, 'a', '2')
    await admin.call('ACL', 'SETUSER', 'gateway', `-${command}`)
    for (const turn of [['3', '4'], ['5']]) {
      const refused = await Promise.allSettled(turn.map(data => publish(channels, 'a', data, data)))
      t.match(refused.at(-1), { reason: { outcome: 'unknown', cause: { name: 'NotPermitted' } } }, command)
    }
    await admin.call('ACL', 'SETUSER', 'gateway', `+${command}`)
    t.match(await publish(channels, 'a', '6'), { offset: 6, epoch })
    const { publications } = await channels.read('a', { offset: 3, epoch }, 9)
    t.match(
      publications,
      [
        { offset: 4, data: '4' },
        { offset: 5, data: '5' },
        { offset: 6, data: '6' }
      ],
      command
    )
  }
})
