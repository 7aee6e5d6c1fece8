import type { Wanted } from '../../src/client/channel-handler.js'
import { ClientChannels } from '../../src/client/channels.js'
import type { Welcome } from '../../src/client/options.js'
import type { DownstreamMessages } from '../../src/protocol/messages.js'

export const wantedNothing: Wanted = { recover: undefined, last: undefined, presence: false, onPresence: undefined }

type Sent = { type: string; channel?: unknown; recover?: unknown }

/** The channels of a client, with a gateway that the test plays. */
export function createChannels() {
  const sent: Sent[] = []
  const events: [string, unknown][] = []
  const delays: number[] = []
  const denied: string[] = []
  const state = { connected: true }
  const channels = new ClientChannels({
    send(type, members) {
      if (!state.connected) return undefined
      sent.push({ type, ...members })
      return sent.length
    },
    emit: (name, event) => void events.push([name, event]),
    dispatch: call => call(),
    call: handler => handler(),
    denied: reason => void denied.push(reason),
    retryJoinsAfter: ms => void delays.push(ms)
  })
  const got: number[] = []
  const publication = (offset: number, epoch = 'e') =>
    channels.receive({ type: 'publication', seq: 1, channel: 'c', offset, epoch, data: offset, publishedAt: 0 })
  /** Answers the newest subscribe. */
  const subscribed = (offset: number, recovered = false, publications: number[] = [], epoch = 'e') =>
    channels.receive({
      ...{ type: 'subscribed', seq: 1, re: sent.length, channel: 'c', offset, epoch, recovered },
      publications: publications.map(each => ({ offset: each, data: each, publishedAt: 0 }))
    })
  const subscribe = (options: Partial<Wanted> = {}, into = got) =>
    channels.subscribe('c', ({ offset }) => into.push(offset), { ...wantedNothing, ...options })
  /** Answers the message `re` with an error. */
  const refused = (re: number | undefined, code: string, retryAfterMs?: number) =>
    channels.onRefused({ type: 'error', seq: 1, re, code, message: 'm', retryAfterMs } as DownstreamMessages['error'])
  const welcome = { subscriptions: [] } as unknown as Welcome
  return { channels, sent, events, delays, denied, state, got, publication, subscribed, refused, subscribe, welcome }
}
