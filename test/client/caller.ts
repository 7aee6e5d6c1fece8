import type { Test } from 'tap'
import type { ClientEvents } from '../../src/client/options.js'
import { type ConnectedClient, connectToFakeGateway, sign } from './fake-gateway.js'

/** A gateway whose calls a test writes. */

export interface Caller extends ConnectedClient {
  /** Sends a call. @returns its `callId` */
  call(method: string, members?: object): string
  /** The next message of the client, which must be a result. */
  result(): Promise<{ seq: number; callId: string; data?: unknown; error?: { code: string; message: string } }>
  /** Sends a message. */
  send(message: object): void
  readonly faults: { error: unknown; source: string }[]
}

/** Connects a client. */
export async function connectCaller(t: Test): Promise<Caller> {
  const connected = await connectToFakeGateway(t)
  const { client, socket, receive } = connected
  const faults: ClientEvents['error'][] = []
  client.on('error', fault => faults.push(fault))
  let seq = 1
  let calls = 0
  const send = (message: object) => socket.send(sign({ seq: ++seq, ...message }))
  return {
    ...connected,
    faults,
    send,
    call(method, members = {}) {
      const callId = `call-${++calls}`.padEnd(22, 'x')
      send({ type: 'call', callId, method, from: 'panel', expiresAt: 10_000, ...members })
      return callId
    },
    async result() {
      const message = JSON.parse(await receive())
      t.equal(message.type, 'callResult')
      return message
    }
  }
}
