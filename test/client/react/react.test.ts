import { Component, createElement as h, type ReactNode, StrictMode, useState } from 'react'
import { act, create } from 'react-test-renderer'
import t from 'tap'
import type { CountersignClient } from '../../../src/client/client.js'
import type { Publication } from '../../../src/client/options.js'
import { startGateway } from '../../helper/gateway.js'
import { until } from '../../helper/until.js'
import { createClientOf } from '../clients.js'
import { CountersignProvider, useClient, useConnectionState, useLatest, useSubscription } from './hooks.js'

/** The React hooks in StrictMode, which mounts every effect twice. */

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

interface Seen {
  client?: CountersignClient
  state?: string
  latest?: Publication<number> | undefined
  setChannel?: (name: string) => void
  readonly received: string[]
}

function Listener({ seen }: { seen: Seen }): null {
  const [channel, setChannel] = useState('a')
  seen.setChannel = setChannel
  seen.state = useConnectionState()
  seen.client = useClient()
  useSubscription<number>(channel, ({ data }) => seen.received.push(`${channel}${data}`))
  return null
}

function Latest({ seen }: { seen: Seen }): null {
  seen.latest = useLatest<number>('a')
  return null
}

class Boundary extends Component<{ onError: (error: Error) => void; children?: ReactNode }> {
  override state = { hasFailed: false }

  static getDerivedStateFromError(): { hasFailed: boolean } {
    return { hasFailed: true }
  }

  override componentDidCatch(error: Error): void {
    this.props.onError(error)
  }

  override render(): ReactNode {
    return this.state.hasFailed ? null : this.props.children
  }
}

t.test('components share a channel, and leave it with the last one', async t => {
  const gateway = await startGateway(t)
  const credential = await gateway.createClient({ subscribe: ['*'], publish: ['*'] })
  const client = createClientOf(t, gateway, { credential })
  client.on('error', ({ error }) => t.fail(String(error)))
  const seen: Seen = { received: [] }
  const { received } = seen
  const tree = h(StrictMode, null, h(CountersignProvider, { client }, h(Listener, { seen }), h(Latest, { seen })))
  let root: ReturnType<typeof create> | undefined
  await act(async () => {
    root = create(tree)
    client.connect()
  })
  await act(() => until('it is connected', () => client.state === 'connected'))
  t.equal(seen.state, 'connected')
  t.equal(seen.client, client)
  await act(async () => {
    await client.publish('a', 1)
  })
  await until('both have it', () => received.length > 0)
  await act(async () => {})
  t.same(received, ['a1'], 'once, although StrictMode subscribed twice')
  t.equal(seen.latest?.data, 1)
  await act(async () => seen.setChannel?.('b'))
  await act(async () => {
    await client.publish('b', 2)
    await client.publish('a', 3)
    await client.heartbeat()
  })
  t.same(received, ['a1', 'b2'])
  t.equal(seen.latest?.data, 3, 'the other component is still in the channel')
  await act(async () => root?.unmount())
  await client.publish('a', 4)
  await client.heartbeat()
  t.same([received.length, seen.latest?.data], [2, 3])
})

t.test('useLatest has the newest publication also if it was published before, or missed', async t => {
  const gateway = await startGateway(t, { config: { history: { size: 2, lifeMs: 300_000 } } })
  const credential = await gateway.createClient({ subscribe: ['*'], publish: ['*'] })
  const publisher = createClientOf(t, gateway, { credential }).connect()
  await publisher.publish('a', 1)
  const client = createClientOf(t, gateway, { credential })
  const seen: Seen = { received: [] }
  let root: ReturnType<typeof create> | undefined
  await act(async () => {
    root = create(h(StrictMode, null, h(CountersignProvider, { client }, h(Latest, { seen }))))
    client.connect()
  })
  const arrived: unknown[] = []
  client.on('frame', ({ text }) => {
    const { type, publications = [] } = JSON.parse(text)
    if (type === 'subscribed') arrived.push(...publications.map(({ data }: Publication) => data))
  })
  await act(() => until('it has arrived', () => arrived.length === 1))
  t.match(seen.latest, { channel: 'a', publisher: credential.clientId })
  await act(async () => {
    await client.close()
    for (const n of [2, 3, 4]) await publisher.publish('a', n)
    client.connect()
  })
  await act(() => until('the newest has arrived', () => arrived.includes(4)))
  t.equal(seen.latest?.data, 4)
  await act(async () => root?.unmount())
})

t.test('a hook outside of the provider names the missing provider', async t => {
  const errors: string[] = []
  const seen: Seen = { received: [] }
  const { error } = console
  console.error = () => {}
  t.teardown(() => {
    console.error = error
  })
  await act(async () => {
    create(h(Boundary, { onError: ({ message }) => void errors.push(message) }, h(Latest, { seen })))
  })
  t.match(errors[0], /no <CountersignProvider>/)
})
