import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import type { ClientOptions } from '../../src/client/options.js'
import { hmac, patienceMs, signText } from '../helper/wire.js'
import { createManualClient, credential, type ManualClient, nextEvent } from './clients.js'

/** A WebSocket server that sends the frames of a test, for frames that no gateway sends. */

export interface FakeConnection {
  readonly socket: WebSocket
  /** The next message of the client. */
  receive(): Promise<string>
}

export interface FakeGateway {
  readonly url: string
  /** Waits for the next connection. */
  accept(): Promise<FakeConnection>
}

export async function startFakeGateway(t: Test): Promise<FakeGateway> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  const connections: WebSocket[] = []
  server.on('connection', socket => connections.push(socket))
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/ws`,
    async accept() {
      if (connections.length === 0) await once(server, 'connection')
      const socket = connections.shift()
      if (socket === undefined) throw new Error('no connection')
      const messages: string[] = []
      socket.on('message', data => messages.push(String(data)))
      return {
        socket,
        async receive() {
          if (messages.length === 0) await once(socket, 'message', { signal: AbortSignal.timeout(patienceMs) })
          return messages.shift() ?? ''
        }
      }
    }
  }
}

export const challengeToken = 'T'.repeat(43)
export const challenge = JSON.stringify({
  type: 'challenge',
  protocol: 'countersign.v1',
  challengeToken,
  expiresIn: 60
})
export const serverKey = Buffer.from(
  hmac(credential.secret, `countersign.v1:server:${challengeToken}:${'n'.repeat(32)}`),
  'hex'
)
export const welcome = {
  ...{
    type: 'welcome',
    seq: 1,
    re: 1,
    protocol: 'countersign.v1',
    sessionId: 's'.repeat(32),
    clientId: 'c',
    keyId: 'k'
  },
  ...{ heartbeatInterval: 15, heartbeatTimeout: 45, serverTime: 0, expiresAt: 86_400_000 }
}
/** Signs a downstream message. */
export const sign = (message: object): string => signText(serverKey, JSON.stringify(message))

export interface ConnectedClient extends FakeConnection, ManualClient {
  readonly gateway: FakeGateway
}

/** Accepts the next connection, and opens its session. @param members  added to the welcome */
export async function acceptSession(gateway: FakeGateway, members: object = {}): Promise<FakeConnection> {
  const { socket, receive } = await gateway.accept()
  socket.send(challenge)
  await receive()
  socket.send(sign({ ...welcome, ...members }))
  return { socket, receive }
}

/** Connects a client to a fake gateway. @param members  added to the welcome */
export async function connectToFakeGateway(
  t: Test,
  members: object = {},
  options: Partial<ClientOptions> = {}
): Promise<ConnectedClient> {
  const gateway = await startFakeGateway(t)
  const manual = createManualClient(t, gateway.url, options)
  const open = nextEvent(manual.client, 'welcome')
  manual.client.connect()
  const connection = await acceptSession(gateway, members)
  await open
  return { gateway, ...manual, ...connection }
}
