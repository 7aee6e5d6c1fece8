import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { Gateway } from '../helper/gateway.js'
import { patienceMs } from '../helper/wire.js'

/** Requests an upgrade without a WebSocket library. @returns the HTTP response, a refusal too */
export async function upgrade(gateway: Gateway, headers: Record<string, string> = {}, path = '/v1/ws') {
  const request = httpRequest(gateway.url + path, {
    headers: {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': Buffer.alloc(16).toString('base64'),
      ...headers
    },
    agent: false,
    signal: AbortSignal.timeout(patienceMs)
  })
  const outcome = Promise.race([once(request, 'response'), once(request, 'upgrade')])
  request.end()
  const [response, socket] = await outcome
  let text = ''
  if (socket === undefined) for await (const chunk of response) text += chunk
  else socket.destroy()
  return { status: response.statusCode, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
}
