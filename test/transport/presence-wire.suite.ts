import type { Test } from 'tap'
import type { Message } from '../helper/wire.js'
import type { TransportAndStore } from './harness.js'
import { createPresenceHarness, present, presentPermissions } from './presence-harness.js'

/** Presence as sessions ask for it (PROTOCOL §10.7), whatever transport carries them. */
export function presenceWireSuite(t: Test, under: TransportAndStore): void {
  const { startTwo, open } = createPresenceHarness(under)

  t.test('presence: counts and lists the sessions in a channel on all instances, with attributes', async t => {
    const { gateway, other } = await startTwo(t)
    const { wire } = await open(other, await gateway.createClient(presentPermissions))
    t.same(await present(wire, 'lobby'), { count: 0, sessions: [] })
    const credential = await gateway.createClient(presentPermissions)
    const visitors = [await open(gateway, credential), await open(other, credential)]
    for (const { wire } of visitors) await wire.ask({ type: 'subscribe', channel: 'lobby' })
    await visitors[1]?.wire.ask({ type: 'attributes', attributes: { name: 'Ann' } })
    for (const { app } of [gateway, other]) await app.tick()
    const { count, sessions } = await present(wire, 'lobby')
    t.equal(count, 2)
    const { clientId } = credential
    const expected = visitors.map(({ sessionId }, i) => ({
      sessionId,
      clientId,
      attributes: i === 1 ? { name: 'Ann' } : {}
    }))
    t.same(
      sessions,
      expected.sort((a, b) => (a.sessionId < b.sessionId ? -1 : 1))
    )
    t.same(await present(wire, 'lobby', { limit: 1 }), { count: 2, sessions: sessions.slice(0, 1) })
    t.same(await present(wire, 'lobby', { limit: 0 }), { count: 2, sessions: [] })
  })

  t.test('presence: needs a permission, checked first, and a channel that presence is kept for', async t => {
    const { gateway } = await startTwo(t)
    const { wire } = await open(
      gateway,
      await gateway.createClient({ subscribe: ['*'], presence: ['lobby1', 'chat', 'x*'] })
    )
    const ask = (channel: unknown, members: object = {}) => wire.ask({ type: 'presence', channel, ...members })
    t.match(await ask('lobby1'), { type: 'presence', count: 0 })
    t.match(await ask('lobby2'), { type: 'error', code: 'PERMISSION_DENIED', message: /lobby2/ })
    t.match(await ask('other'), { code: 'PERMISSION_DENIED' }, 'of a channel that presence is not kept for, too')
    t.match(await ask('chat'), { code: 'INVALID_CHANNEL', message: /chat/ })
    t.match(await ask('client:someone'), { code: 'PERMISSION_DENIED' })
    const { wire: all } = await open(gateway, await gateway.createClient({ presence: ['*'] }))
    t.match(await all.ask({ type: 'presence', channel: 'client:someone' }), { code: 'PERMISSION_DENIED' }, 'not by `*`')
    const spelled = await open(gateway, await gateway.createClient({ presence: ['client:*'] }))
    t.match(await spelled.wire.ask({ type: 'presence', channel: 'client:someone' }), { type: 'presence' })
    const { wire: none } = await open(gateway, await gateway.createClient({ subscribe: ['*'] }))
    t.match(await none.ask({ type: 'presence', channel: 'lobby1' }), { code: 'PERMISSION_DENIED' })
    const refused: [Message, string, RegExp][] = [
      [
        { type: 'presence', channel: 'lobby1', limit: 101 },
        'INVALID_MESSAGE',
        /^limit: expected an integer from 0 to 100/
      ],
      [{ type: 'presence', channel: 'lobby1', limit: -1 }, 'INVALID_MESSAGE', /^limit/],
      [{ type: 'presence', channel: 'lobby1', limit: '1' }, 'INVALID_MESSAGE', /^limit/],
      [{ type: 'presence' }, 'INVALID_MESSAGE', /^channel/],
      [{ type: 'presence', channel: 'a b' }, 'INVALID_CHANNEL', /^channel/]
    ]
    for (const [message, code, text] of refused) {
      t.match(await wire.ask(message), { type: 'error', code, message: text }, JSON.stringify(message))
    }
  })
}
