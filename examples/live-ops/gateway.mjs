/** The HTTP API of the gateway, as a backend and a game server use it. */

const timeoutMs = 10_000

/**
 * @param {string} token  sent as the bearer token
 * @returns the answer's body
 * @throws if the gateway cannot be reached, or refuses; the message states why
 */
export async function post(url, token, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMs)
  }).catch(cause => {
    throw new Error(`${url} does not answer: is the gateway running?`, { cause })
  })
  const answer = await response.json().catch(() => ({}))
  if (!response.ok) throw new Error(`${url} refused: ${response.status} ${answer.code ?? ''} ${answer.message ?? ''}`)
  return answer
}

/** The address of the gateway's WebSocket. */
export function socketUrlOf(gatewayUrl) {
  return new URL('/v1/ws', gatewayUrl.replace(/^http/, 'ws')).href
}
