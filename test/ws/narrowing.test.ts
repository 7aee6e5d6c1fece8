import t from 'tap'
import { startGateway } from '../helper/gateway.js'
import { stores } from '../helper/stores.js'

/** A client loses permission for some of its channels: its sessions go on without them (PROTOCOL §10). */

for (const [name, open] of Object.entries(stores)) {
  t.test(`${name}: a session continues when only subscribe is narrowed`, async t => {
    const { store } = await open(t, Date.now)
    const gateway = await startGateway(t, { store })
    const credential = await gateway.createClient({ subscribe: ['news.*', 'chat'], publish: ['*'] })
    const wire = await gateway.session(credential)
    for (const channel of ['news.a', 'news.b', 'chat']) await wire.ask({ type: 'subscribe', channel })
    await gateway.admin('PATCH', `/clients/${credential.clientId}`, { subscribe: ['news.a'] })
    await gateway.app.tick()
    const lost = [await wire.next('unsubscribed'), await wire.next('unsubscribed')]
    t.same(
      lost.map(({ channel, code }) => `${channel} ${code}`),
      ['news.b PERMISSION_DENIED', 'chat PERMISSION_DENIED']
    )

    const denied = await wire.ask({ type: 'subscribe', channel: 'chat' })
    t.match(denied, { type: 'error', code: 'PERMISSION_DENIED' })
    await gateway.publish({ channel: 'chat', data: 1 })
    await gateway.publish({ channel: 'news.a', data: 2 })
    await gateway.publish({ channel: `client:${credential.clientId}`, data: 3 })
    t.match(await wire.next('publication'), { channel: 'news.a', data: 2 }, 'a kept channel')
    t.match(await wire.next('publication'), { data: 3 }, "the session's own channel")
    t.match(await wire.ask({ type: 'subscribe', channel: 'news.a' }), { type: 'subscribed' })
    const next = await gateway.session(credential)
    t.match(await next.ask({ type: 'subscribe', channel: 'chat' }), { code: 'PERMISSION_DENIED' })
  })

  t.test(`${name}: a session ends when capabilities change in any other way`, async t => {
    const { store } = await open(t, Date.now)
    const gateway = await startGateway(t, { store })
    for (const change of [
      { subscribe: ['a', 'b'] },
      { subscribe: ['b'] },
      { publish: ['c'] },
      { subscribe: [], services: [] }
    ]) {
      const credential = await gateway.createClient({ subscribe: ['a'] })
      const wire = await gateway.session(credential)
      await gateway.admin('PATCH', `/clients/${credential.clientId}`, change)
      await gateway.app.tick()
      t.match(await wire.next('error'), { code: 'SESSION_EXPIRED' }, JSON.stringify(change))
    }
  })
}
