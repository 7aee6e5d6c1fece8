import t, { type Test } from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import { connectBridge } from '../helper/bridge-wire.js'
import { startGateway, testAdminToken } from '../helper/gateway.js'
import { type RedisServer, startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'
import { connectWire, type Message } from '../helper/wire.js'

/** UNAVAILABLE carries `outcome: "unknown"` where the command may have run, on every door (PROTOCOL §7.1). */

async function start(t: Test) {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const store = await openRedisStore(redis.url)
  t.teardown(() => store.close())
  const gateway = await startGateway(t, { store })
  const credential = await gateway.createClient({ subscribe: ['*'], publish: ['*'] })
  const ws = await connectWire(t, gateway.wsUrl)
  const bridge = await connectBridge(gateway.url)
  for (const wire of [ws, bridge]) {
    wire.authenticate(credential)
    await wire.next('welcome')
  }
  const publishOverHttp = async (idempotencyKey?: string) => {
    const answer = await fetch(`${gateway.url}/v1/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${testAdminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ channel: 'news', data: 'http', ...(idempotencyKey ? { idempotencyKey } : {}) })
    })
    return { status: answer.status, body: await answer.json() }
  }
  return { redis, store, gateway, ws, bridge, publishOverHttp }
}

async function whilePaused<T>({ pid }: RedisServer, action: () => Promise<T>): Promise<T> {
  process.kill(pid, 'SIGSTOP')
  try {
    return await action()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

const publish = (data: string): Message => ({ type: 'publish', channel: 'news', data, idempotencyKey: `key-${data}` })

t.test('bug: a publish that a paused Redis runs later is refused with an unknown outcome', async t => {
  const { redis, store, ws, bridge, publishOverHttp } = await start(t)
  const line = bridge.sign({ ...publish('bridge'), seq: 2 })
  const [overWs, overBridge, overHttp] = await whilePaused(redis, () =>
    Promise.all([ws.ask(publish('ws')), bridge.exchange([line]), publishOverHttp('key-http')])
  )
  const refused = { code: 'UNAVAILABLE', outcome: 'unknown' }
  t.match(overWs, { type: 'error', ...refused })
  t.match([overBridge.status, overBridge.frames.at(-1)], [503, refused])
  t.match(overHttp, { status: 503, body: refused })
  await until('the commands of the pause have run', async () => (await store.channels.tops(['news']))[0]?.offset === 2)

  t.match(await ws.ask(publish('ws')), { type: 'published', duplicate: true })
  t.match(await publishOverHttp('key-http'), { status: 200, body: { duplicate: true } })
  const repeated = await bridge.exchange([line])
  t.equal(repeated.status, 200)
  await until('the bridge has answered', async () => {
    const { frames } = repeated.frames.some(({ type }) => type === 'published') ? repeated : await bridge.exchange([])
    return frames.some(({ type }) => type === 'published')
  })
  t.match(await store.channels.tops(['news']), [{ offset: 3 }], 'each was published once')
})

t.test('a publish that never reached Redis is not refused with an unknown outcome', async t => {
  const { redis, store, ws, bridge, publishOverHttp } = await start(t)
  await redis.kill()
  await until('the connection is gone', () =>
    store.ping().then(
      () => false,
      error => error.outcome === 'unsent'
    )
  )
  const overBridge = await bridge.exchange([bridge.sign({ ...publish('bridge'), seq: 2 })])
  t.match(await ws.ask(publish('ws')), { code: 'UNAVAILABLE', outcome: 'unsent' })
  t.match([overBridge.status, overBridge.frames.at(-1)], [503, { code: 'UNAVAILABLE', outcome: 'unsent' }])
  t.match(await publishOverHttp(), { status: 503, body: { code: 'UNAVAILABLE', outcome: 'unsent' } })
})
