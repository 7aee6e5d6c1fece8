import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useRef,
  useState,
  useSyncExternalStore
} from 'react'
import type { CountersignClient } from './client.js'
import type { ClientState, Publication, PublicationHandler, SubscribeOptions } from './options.js'

/** The client in React 18 and 19: hooks that share one client and may be mounted twice, as in StrictMode. */

const ClientContext = createContext<CountersignClient | undefined>(undefined)

export interface CountersignProviderProps {
  /** Create it outside of components: it outlives them. */
  readonly client: CountersignClient
  readonly children?: ReactNode
}

/** Provides the client to the hooks below it. It neither connects nor closes it. */
export function CountersignProvider({ client, children }: CountersignProviderProps): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children)
}

/** @throws Error outside of a {@link CountersignProvider} */
export function useClient(): CountersignClient {
  const client = useContext(ClientContext)
  if (client === undefined) throw new Error('countersign: no <CountersignProvider> above this component')
  return client
}

/** The state of the connection. */
export function useConnectionState(): ClientState {
  const client = useClient()
  const subscribe = useCallback((onChange: () => void) => client.on('state', onChange), [client])
  return useSyncExternalStore(
    subscribe,
    () => client.state,
    () => 'disconnected'
  )
}

/**
 * Joins a channel while the component is mounted.
 * @param channel  undefined: none
 * @param handler  the newest one is called; it need not be memoized
 * @param options  read when the channel is joined
 */
export function useSubscription<T = unknown>(
  channel: string | undefined,
  handler: PublicationHandler<T>,
  options?: SubscribeOptions
): void {
  const client = useClient()
  const latest = useRef({ handler, options })
  useEffect(() => {
    latest.current = { handler, options }
  })
  useEffect(() => {
    if (channel === undefined) return undefined
    const subscription = client.subscribe<T>(
      channel,
      publication => latest.current.handler(publication),
      latest.current.options
    )
    return () => subscription.unsubscribe()
  }, [client, channel])
}

/** The newest publication kept of a channel; undefined before it has arrived, and while there is none. */
export function useLatest<T = unknown>(channel: string | undefined): Publication<T> | undefined {
  const client = useClient()
  const [latest, setLatest] = useState<Publication<T>>()
  const [misses, setMisses] = useState(0)
  useEffect(
    () =>
      client.on('missed', event => {
        if (event.channel === channel) setMisses(count => count + 1)
      }),
    [client, channel]
  )
  // Missed publications may include the newest one, so each miss requests it again.
  useEffect(() => {
    if (channel === undefined) return undefined
    const subscription = client.subscribe<T>(channel, setLatest, { last: 1 })
    return () => subscription.unsubscribe()
  }, [client, channel, misses])
  return latest?.channel === channel ? latest : undefined
}
