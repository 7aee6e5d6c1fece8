import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import type { Gateway } from '../helper/gateway.js'
import { patienceMs } from '../helper/wire.js'

/** HTTP over a plain TCP socket: requests that no HTTP library would send. */

export interface RawSocket {
  readonly socket: Socket
  send(text: string | Uint8Array): void
  /** Everything received so far. */
  received(): string
  /** Waits until something was received that matches. @returns everything received so far */
  until(pattern: RegExp): Promise<string>
  /** Waits until the gateway has closed the socket. @returns everything received */
  closed(): Promise<string>
}

export async function openSocket(t: Test, gateway: Pick<Gateway, 'url'>): Promise<RawSocket> {
  const { hostname, port } = new URL(gateway.url)
  const socket = connect(Number(port), hostname)
  t.teardown(() => socket.destroy())
  let text = ''
  let isClosed = false
  socket.on('data', bytes => {
    text += bytes.toString('latin1')
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    isClosed = true
  })
  await once(socket, 'connect')

  async function waitUntil(isDone: () => boolean): Promise<string> {
    const signal = AbortSignal.timeout(patienceMs)
    while (!isDone()) {
      if (isClosed) throw new Error(`the socket closed after: ${text}`)
      await Promise.race([once(socket, 'data', { signal }), once(socket, 'close', { signal })])
    }
    return text
  }

  return {
    socket,
    send: bytes => void socket.write(bytes),
    received: () => text,
    until: pattern => waitUntil(() => pattern.test(text)),
    async closed() {
      if (!isClosed) await once(socket, 'close', { signal: AbortSignal.timeout(patienceMs) })
      return text
    }
  }
}

/** The head of a request, with `host` unless it is among the headers. */
export function head(line: string, headers: Readonly<Record<string, string | number>> = {}): string {
  const all = Object.entries({ host: 'gateway.test', ...headers })
  return `${line} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

/** The value of a metric. */
export async function metric(gateway: Gateway, name: string): Promise<number> {
  gateway.clock.advance(1000)
  const text = await (await fetch(`${gateway.url}/metrics`)).text()
  const line = text.split('\n').find(each => each.startsWith(`${name} `))
  if (line === undefined) throw new Error(`no metric ${name}`)
  return Number(line.slice(name.length + 1))
}
