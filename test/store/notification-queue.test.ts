import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Redis } from 'ioredis'
import t from 'tap'
import { openRedisStore } from '../../src/store/redis/index.js'
import { NotificationQueue } from '../../src/store/redis/pubsub/notification-queue.js'
import { startRedis } from '../helper/redis-server.js'
import { until } from '../helper/until.js'
import { record } from './channel-helpers.js'

t.test('bounds the queue: drops, counts and reports messages above it in their place', async t => {
  const seen: (number | 'gap')[] = []
  const queue = new NotificationQueue<number>(
    message => seen.push(message),
    () => seen.push('gap'),
    { maxWaiting: 3, maxWaitingBytes: 100 }
  )
  for (let i = 1; i <= 5; i++) queue.enqueue(i, 1)
  t.same(seen, [], 'reading never waits for handling')
  await until('all were handled', () => seen.includes('gap'))
  t.same(seen, [1, 2, 3, 'gap'])
  t.equal(queue.dropped, 2)
  queue.enqueue(6, 60)
  queue.enqueue(7, 60)
  queue.enqueue(8, 40)
  await until('these too', () => seen.length === 7)
  t.same(seen.slice(4), [6, 'gap', 8], 'bytes are bounded too')
  t.equal(queue.dropped, 3)
  queue.enqueue(9, 1)
  await until('and on', () => seen.includes(9))
})

t.test('bug: messages stayed in memory until the queue was empty', async t => {
  setFlagsFromString('--expose-gc')
  const collectGarbage: () => void = runInNewContext('gc')
  let handled = 0
  let first: WeakRef<object> | undefined
  let isCollected: boolean | undefined
  const queue = new NotificationQueue<object>(
    () => {
      if (++handled !== 2) return
      collectGarbage()
      isCollected = first?.deref() === undefined
    },
    () => t.fail('no message is dropped')
  )
  function enqueue(): void {
    const message = {}
    first ??= new WeakRef(message)
    queue.enqueue(message, 1)
  }
  for (let i = 0; i < 3; i++) enqueue()
  await until('all are handled', () => handled === 3)
  t.equal(isCollected, true, 'while others wait')
})

t.test('drops and counts a burst above the bound, and asks to verify positions', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const store = await openRedisStore(server.url, { maxWaiting: 10 })
  t.teardown(() => store.close())
  const { heard, missed } = record(store.channels)
  await store.channels.listen(['a'])
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  // One write, so that all arrive in one read.
  const burst = "for i = 1, 500 do redis.call('SPUBLISH', KEYS[1], i .. ':1:e:' .. i) end"
  await admin.eval(burst, 1, 'cs:channel:{a}')
  await until('it is notified', () => missed.count > 0)
  t.ok(store.channels.counts.dropped > 0)
  t.ok(
    heard.every(({ offset }, i) => offset > (heard[i - 1]?.offset ?? 0)),
    'the rest was in order'
  )
})
