import t from 'tap'
import type { Publication } from '../../src/client/options.js'
import { startGateway } from '../helper/gateway.js'
import { until } from '../helper/until.js'
import { createClientOf, nextEvent } from './clients.js'
import { connectToFakeGateway, sign } from './fake-gateway.js'

/** The newest publications of a channel, and its history. */

const all = { subscribe: ['*'], publish: ['*'] }

t.test('a late client gets the newest publications, then all that follow', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient(all)
  const client = createClientOf(t, gateway, { credential }).connect()
  for (const n of [1, 2, 3]) await client.publish('config', n)
  const late = createClientOf(t, gateway, { credential: await gateway.createClient(all) })
  const one: Publication[] = []
  const two: unknown[] = []
  const none: unknown[] = []
  const first = late.subscribe('config', publication => one.push(publication), { last: 1 })
  const second = late.subscribe('config', ({ data }) => two.push(data), { last: 2 })
  late.subscribe('config', ({ data }) => none.push(data))
  late.on('missed', () => t.fail('nothing was missed'))
  late.connect()
  t.match(await first.ready, { offset: 3, recovered: false })
  await second.ready
  await client.publish('config', 4)
  await until('all have it', () => none.length === 1)
  t.match(one, [
    { channel: 'config', offset: 3, data: 3, publisher: credential.clientId },
    { offset: 4, data: 4 }
  ])
  t.same(two, [2, 3, 4])
  t.same(none, [4])
  t.equal(first.position?.offset, 4)

  const third: unknown[] = []
  const added = late.subscribe('config', ({ data }) => third.push(data), { last: 2 })
  t.match(await added.ready, { offset: 4, recovered: false }, 'on a joined channel')
  for (const socket of gateway.app.server.websocketServer.clients) socket.terminate()
  await nextEvent(late, 'welcome')
  await client.publish('config', 5)
  await until('it has it', () => third.includes(5))
  t.same(third, [3, 4, 5], 'it goes on in the next session')
  t.same(one.length, 3)
})

t.test('refuses `last` together with `recover`, and out of bounds', async t => {
  const { client, socket } = await connectToFakeGateway(t)
  client.on('trouble', () => {})
  socket.on('message', () => t.fail('nothing is sent'))
  for (const last of [0, 513, 1.5]) {
    const { ready } = client.subscribe('c', () => {}, { last })
    await t.rejects(ready, { code: 'INVALID_MESSAGE', path: 'last' }, `${last}`)
  }
  const both = client.subscribe('c', () => {}, { last: 1, recover: { offset: 1, epoch: 'e' } })
  await t.rejects(both.ready, { code: 'INVALID_MESSAGE', path: 'last' })
})

t.test('reads the history, page by page', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient(all)
  const client = createClientOf(t, gateway, { credential }).connect()
  t.match(await client.history('c'), { publications: [], more: false })
  for (const n of [1, 2, 3, 4, 5]) await client.publish('c', n)
  const newest = await client.history<number>('c', { limit: 2 })
  t.match(newest, { offset: 5, more: true })
  t.match(newest.publications[0], { channel: 'c', epoch: newest.epoch, data: 4, publisher: credential.clientId })
  const older = await client.history<number>('c', { limit: 3, before: newest.publications[0] })
  t.match(older, { offset: 3, more: false, epoch: newest.epoch })
  t.same(
    older.publications.map(({ data }) => data),
    [1, 2, 3]
  )
  const narrow = createClientOf(t, gateway, { credential: await gateway.createClient({ subscribe: ['a'] }) }).connect()
  await t.rejects(narrow.history('c'), { code: 'PERMISSION_DENIED' })
  await t.rejects(client.history('c', { limit: 0 }), { code: 'INVALID_MESSAGE', path: 'limit' })
  await t.rejects(client.history('no good'), { code: 'INVALID_CHANNEL', path: 'channel' })
})

t.test('the position of a history without publications is the one that it was asked for', async t => {
  const { client, socket, receive } = await connectToFakeGateway(t)
  const before = { offset: 5, epoch: 'e', data: 'a publication may serve as a position' }
  const history = client.history('news', { before })
  const request = JSON.parse(await receive())
  t.same(request.before, { offset: 5, epoch: 'e' })
  socket.send(
    sign({ type: 'history', seq: 2, re: request.seq, channel: 'news', epoch: 'e', publications: [], more: false })
  )
  t.same(await history, { publications: [], offset: 5, epoch: 'e', more: false })
})
