import type { DownstreamMessages } from '../protocol/messages.js'
import type { ClientState, Welcome } from './options.js'
import type { ServedCallsHost } from './served-calls.js'

export type ChannelMessage = DownstreamMessages['publication' | 'subscribed' | 'unsubscribed' | 'presenceChanged']

/** The client of its sessions. Once it was closed, only the last frames and the running handlers are reported. */
export interface SessionHost extends Pick<ServedCallsHost, 'handlerOf' | 'dispatch' | 'fault'> {
  onState(state: ClientState): void
  onFrame(direction: 'up' | 'down', text: string | Uint8Array, signed: boolean): void
  onWelcome(welcome: Welcome): void
  onChannelMessage(message: ChannelMessage): void
  /** @returns whether the error answers the subscribe of a channel */
  onRefused(error: DownstreamMessages['error']): boolean
  onLost(reason: string): void
  onTrouble(reason: string, tries: number): void
  onStopped(code: string, message: string): void
}
