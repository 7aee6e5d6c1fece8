import { endingClassOf } from '../protocol/codes.js'
import type { Downstream, DownstreamMessages } from '../protocol/messages.js'
import type { Connection } from './connection.js'
import type { ChannelMessage } from './session-host.js'

/** The receivers of a session's messages. */
export interface RouterHost {
  isCurrent(connection: Connection): boolean
  onChannelMessage(message: ChannelMessage): void
  /** An answer within the current session. */
  onAnswer(re: number, message: Downstream): void
  /** An error within the current session that does not end it. */
  onRefused(error: DownstreamMessages['error']): void
  /** The instance of a session stops soon. */
  onReconnect(connection: Connection, afterMs: number): void
  /** A signed error ended the session; another one may be opened. */
  onEnded(connection: Connection, error: DownstreamMessages['error']): void
  /** A signed error states that reconnecting would not help. */
  onStopped(code: string, message: string): void
}

/** Routes a verified message to its receiver. A replaced session only answers calls, and proves that it is alive. */
export function routeMessage(connection: Connection, message: Downstream, host: RouterHost): void {
  const { served } = connection
  switch (message.type) {
    case 'challenge':
      connection.sendFrame(connection.session.answerChallenge(message.challengeToken).frame)
      return
    case 'ping':
      connection.send({ type: 'heartbeat' })
      return
    case 'call':
      served?.receive(message)
      return
    case 'reconnect':
      host.onReconnect(connection, message.afterMs)
      return
    case 'error':
      routeError(connection, message, host)
      return
    case 'publication':
    case 'subscribed':
    case 'unsubscribed':
    case 'presenceChanged':
      if (host.isCurrent(connection)) host.onChannelMessage(message)
      return
    default:
      if (!('re' in message) || message.re === undefined || served?.onAck(message.re) === true) return
      if (host.isCurrent(connection)) host.onAnswer(message.re, message)
  }
}

/** PROTOCOL §5.3, rows 4 to 7. */
function routeError(connection: Connection, error: DownstreamMessages['error'], host: RouterHost): void {
  const { code, message, re } = error
  const ending = endingClassOf(code)
  const isAnswer = re !== undefined && (code === 'RATE_LIMITED' || code === 'UNAVAILABLE')
  if (ending === 'none' || isAnswer) {
    if (connection.served?.onRefused(error) !== true && host.isCurrent(connection)) host.onRefused(error)
  } else if (ending === 'transient') host.onEnded(connection, error)
  else host.onStopped(code, message)
}
