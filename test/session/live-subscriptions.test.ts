import t, { type Test } from 'tap'
import type { Capabilities } from '../../src/auth/capabilities.js'
import type { Joined } from '../../src/channels/types.js'
import { LiveSubscriptions } from '../../src/session/live-subscriptions.js'
import { createTestDependencies } from '../helper/dependencies.js'
import { peer } from './parts.js'

const position = { offset: 0, epoch: 'e' }
const joined: Joined = { position, recovered: false, publications: [] }

function peerWith(subscribe: readonly string[]) {
  const capabilities: Capabilities = { subscribe, publish: [], services: [], call: [], presence: [] }
  return { ...peer, capabilities }
}

/** Subscriptions whose joins wait until `resume`, and that record what the session sends and the broker is asked for. */
async function start(t: Test) {
  const { channels, ...dependencies } = await createTestDependencies(t)
  const calls: string[] = []
  let resume = () => {}
  const gate = new Promise<void>(resolve => {
    resume = resolve
  })
  const broker = {
    ...channels,
    join: () => gate.then(() => joined),
    release: (_subscriber: unknown, channel: string) => void calls.push(`release ${channel}`),
    leave(_subscriber: unknown, channel: string) {
      calls.push(`leave ${channel}`)
      return true
    }
  }
  const subscriptions = new LiveSubscriptions({ ...dependencies, channels: broker }, peerWith(['a', 'b']), {
    publication() {},
    presenceChanged() {},
    unsubscribed: (channel, code) => void calls.push(`${channel} ${code}`)
  })
  return { subscriptions, calls, resume }
}

t.test('narrowing leaves joined channels that are no longer permitted', async t => {
  const { subscriptions, calls, resume } = await start(t)
  resume()
  for (const channel of ['a', 'b']) {
    await subscriptions.join(channel)
    subscriptions.release(channel)
  }
  subscriptions.narrow(peerWith(['a']))
  t.same(calls, ['release a', 'release b', 'leave b', 'b PERMISSION_DENIED'])
  t.same([...subscriptions.channels], ['a'])
})

t.test('a pending join is refused when its channel is no longer permitted', async t => {
  const { subscriptions, calls, resume } = await start(t)
  const joining = subscriptions.join('b')
  subscriptions.narrow(peerWith(['a']))
  resume()
  await t.rejects(joining, { code: 'PERMISSION_DENIED' })
  t.same(calls, ['leave b'])
  t.equal(subscriptions.has('b'), false)
})

t.test('unsubscribed is sent after subscribed, never before it', async t => {
  const { subscriptions, calls, resume } = await start(t)
  resume()
  await subscriptions.join('b')
  subscriptions.narrow(peerWith(['a']))
  t.same(calls, [], 'nothing before the subscribed')
  subscriptions.release('b')
  t.same(calls, ['leave b', 'b PERMISSION_DENIED'])
})

t.test("the session's own channels stay", async t => {
  const { subscriptions, calls, resume } = await start(t)
  resume()
  await subscriptions.joinOwn()
  for (const channel of ['client:c', 'session:s']) subscriptions.release(channel)
  subscriptions.narrow(peerWith([]))
  t.same([...subscriptions.channels], ['client:c', 'session:s'])
  t.same(calls, ['release client:c', 'release session:s'])
})
