import type { Test } from 'tap'
import { allPermissions, type ChannelHarness, positionOf } from './channel-harness.js'

/** Channel names, permissions and limits (PROTOCOL §10.1). */
export function channelPermissionSuite(t: Test, { start }: ChannelHarness): void {
  t.test('rejects invalid channel names and positions', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient(allPermissions))
    for (const type of ['subscribe', 'unsubscribe', 'publish']) {
      for (const channel of ['', 'a b', 'ä', 'x'.repeat(129), 'a/b']) {
        t.match(await wire.ask({ type, channel, data: 1 }), { type: 'error', code: 'INVALID_CHANNEL' })
      }
      for (const channel of [undefined, 5, null, ['a']]) {
        t.match(await wire.ask({ type, channel, data: 1 }), { type: 'error', code: 'INVALID_MESSAGE' })
      }
    }
    t.match(await wire.ask({ type: 'subscribe', channel: 'x'.repeat(128) }), { type: 'subscribed' })
    t.match(await wire.ask({ type: 'subscribe', channel: 'A.z_0:-' }), { type: 'subscribed' })
    for (const recover of [null, { offset: -1, epoch: 'e' }, { offset: 1 }, { offset: 1, epoch: 'x'.repeat(65) }]) {
      t.match(await wire.ask({ type: 'subscribe', channel: 'c', recover }), { code: 'INVALID_MESSAGE' })
    }
  })

  t.test('checks permissions against patterns', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient({ subscribe: ['a', 'b.*'], publish: ['c.*'] }))
    const ask = async (type: string, channel: string) => (await wire.ask({ type, channel, data: 1 })).type
    t.equal(await ask('subscribe', 'a'), 'subscribed')
    t.equal(await ask('subscribe', 'b.'), 'subscribed')
    t.equal(await ask('subscribe', 'b.x:y'), 'subscribed')
    t.equal(await ask('publish', 'c.1'), 'published')
    for (const [type, channel] of [
      ['subscribe', 'aa'],
      ['subscribe', 'b'],
      ['subscribe', 'c.1'],
      ['publish', 'a'],
      ['publish', 'c']
    ] as const) {
      t.match(await wire.ask({ type, channel, data: 1 }), { type: 'error', code: 'PERMISSION_DENIED' })
    }
    t.equal(await ask('unsubscribe', 'aa'), 'ack', 'unsubscribing without a subscription is acknowledged')
  })

  t.test('subscribes each session to its own channels, and no other session', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(allPermissions)
    const { clientId } = credential
    const wire = await gateway.wire()
    wire.authenticate(credential)
    const welcome = await wire.next('welcome')
    const sibling = await gateway.session(credential)
    const [own, session] = [`client:${clientId}`, `session:${welcome['sessionId']}`]
    const operator = await gateway.session(
      await gateway.createClient({ subscribe: ['*', 'client:*', 'session:*'], publish: ['client:*', 'session:*'] })
    )
    for (const channel of [own, session, 'client:', 'session:x']) {
      t.match(await operator.ask({ type: 'subscribe', channel }), { code: 'PERMISSION_DENIED' }, channel)
      t.match(await wire.ask({ type: 'publish', channel, data: 1 }), { code: 'PERMISSION_DENIED' }, '`*` is not enough')
    }
    t.match(await sibling.ask({ type: 'subscribe', channel: session }), { code: 'PERMISSION_DENIED' })
    t.match(await operator.ask({ type: 'publish', channel: own, data: 'to all of it' }), { offset: 1 })
    t.match(await wire.next('publication'), { channel: own, offset: 1 })
    t.match(await sibling.next('publication'), { channel: own, offset: 1 })
    t.match(await operator.ask({ type: 'publish', channel: session, data: 'to one' }), { offset: 1 })
    t.match(await wire.next('publication'), { channel: session, data: 'to one' })
    const [position] = welcome['subscriptions'] as { channel: string; offset: number; epoch: string }[]
    if (position === undefined) throw new Error('no own channel')
    const { channel, offset, epoch } = position
    const recovered = await wire.ask({ type: 'subscribe', channel, recover: { offset, epoch } })
    t.match(recovered, { recovered: true, publications: [{ data: 'to all of it' }] })
    const late = await gateway.wire()
    late.authenticate(credential)
    t.match((await late.next('welcome'))['subscriptions'], [{ channel: own, offset: 1, epoch }])
  })

  t.test('a pattern must spell a reserved prefix: `cli*` is not enough', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient({ publish: ['cli*', 'session:s1'] }))
    t.match(await wire.ask({ type: 'publish', channel: 'client:x', data: 1 }), { code: 'PERMISSION_DENIED' })
    t.match(await wire.ask({ type: 'publish', channel: 'clients', data: 1 }), { type: 'published' })
    t.match(await wire.ask({ type: 'publish', channel: 'session:s1', data: 1 }), { type: 'published' })
    t.match(await wire.ask({ type: 'publish', channel: 'session:s2', data: 1 }), { code: 'PERMISSION_DENIED' })
  })

  t.test('limits the channels of a session to 128, its own two not counted', async t => {
    const gateway = await start(t)
    const credential = await gateway.createClient(allPermissions)
    const wire = await gateway.session(credential)
    const join = (channel: string) => wire.ask({ type: 'subscribe', channel })
    for (let i = 0; i < 128; i++) t.match(await join(`c${i}`), { type: 'subscribed' })
    t.match(await join('one-more'), { type: 'error', code: 'PERMISSION_DENIED' })
    t.match(await join('c7'), { type: 'subscribed' }, 'one that it has joined')
    t.match(await join(`client:${credential.clientId}`), { type: 'subscribed' })
    t.match(await wire.ask({ type: 'unsubscribe', channel: 'c7' }), { type: 'ack' })
    t.match(await join('one-more'), { type: 'subscribed' })
  })

  t.test('sends nothing after unsubscribe, and recovers on the next subscribe', async t => {
    const gateway = await start(t)
    const wire = await gateway.session(await gateway.createClient(allPermissions))
    const joined = positionOf(await wire.ask({ type: 'subscribe', channel: 'c' }))
    t.match(await wire.ask({ type: 'unsubscribe', channel: 'c' }), { type: 'ack' })
    t.match(await wire.ask({ type: 'unsubscribe', channel: 'c' }), { type: 'ack' })
    t.match(await wire.ask({ type: 'publish', channel: 'c', data: 1 }), { type: 'published', offset: 1 })
    const subscribed = await wire.ask({ type: 'subscribe', channel: 'c', recover: joined })
    t.match(subscribed, { recovered: true, publications: [{ data: 1 }] })
  })
}
