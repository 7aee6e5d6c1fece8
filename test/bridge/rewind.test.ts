import { Redis } from 'ioredis'
import t from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import { connectBridge } from '../helper/bridge-wire.js'
import { startGateway } from '../helper/gateway.js'
import { startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'

t.test('answers 404 after Redis restarts from an older snapshot, never with frames of another history', async t => {
  const server = await startRedis(['--save', ''])
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url)
  t.teardown(() => store.close())
  const gateway = await startGateway(t, { store, config: { lingerMs: 0 } })
  const credential = await gateway.createClient({ subscribe: ['*'], publish: ['*'] })
  const open = async () => {
    const wire = await connectBridge(gateway.url)
    wire.authenticate(credential)
    await wire.next('welcome')
    return wire
  }
  const [wire, waiting] = [await open(), await open()]
  const before = await wire.ask({ type: 'subscribe', channel: 'c' })
  await gateway.publish({ channel: 'c', data: 'kept' })
  const admin = new Redis(server.url, { maxRetriesPerRequest: null })
  admin.on('error', () => {})
  t.teardown(() => admin.disconnect())
  await admin.save()
  await gateway.publish({ channel: 'c', data: 'lost' })
  t.match(await wire.next('publication'), { offset: 1, data: 'kept' })
  t.match(await wire.next('publication'), { offset: 2, data: 'lost' })

  const held = waiting.exchange([], { wait: 25 })
  await until('a poll is held', () => gateway.app.heldPolls() === 1)
  await server.kill()
  await server.start()
  await until('the store answers', () =>
    store.ping().then(
      () => true,
      () => false
    )
  )
  const refused = await wire.exchange([])
  t.equal(refused.status, 404)
  t.match(refused.frames, [{ type: 'error', code: 'SESSION_NOT_FOUND' }])
  const retryAfter = Number(refused.headers.get('retry-after'))
  t.ok(retryAfter >= 1 && retryAfter <= 30, 'clients spread their reconnects')
  t.match((await held).status, 404, 'a held poll ends without another request')

  const again = await open()
  const position = { offset: 2, epoch: before['epoch'] }
  const subscribed = await again.ask({ type: 'subscribe', channel: 'c', recover: position })
  t.match(subscribed, { recovered: false })
  t.not(subscribed['epoch'], before['epoch'])
})
