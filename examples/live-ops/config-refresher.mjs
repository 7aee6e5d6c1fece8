import { post, socketUrlOf } from './gateway.mjs'
import { configChannel } from './roles.mjs'

/**
 * Publishes the live configuration again before the gateway forgets it, so that a game server that starts days later still
 * gets it with `last: 1`.
 *
 * @param options.createClient  of the JavaScript SDK
 * @param options.gatewayUrl    http:// or https:// address of the gateway
 * @param options.token         API token with the capabilities of roles.mjs
 * @param options.refreshMs     less than COUNTERSIGN_HISTORY_SECONDS of the gateway
 * @returns a client; close it at the end
 */
export function startConfigRefresher({ createClient, gatewayUrl, token, refreshMs }) {
  const client = createClient({
    url: socketUrlOf(gatewayUrl),
    credential: () =>
      post(new URL('/v1/tickets', gatewayUrl), token, {
        clientId: 'live-config',
        ttl: 3600,
        subscribe: [configChannel],
        publish: [configChannel]
      })
  })
  let timer
  const later = data => {
    clearTimeout(timer)
    timer = setTimeout(() => client.publish(configChannel, data).catch(() => later(data)), refreshMs)
  }
  client.subscribe(configChannel, ({ data }) => later(data), { last: 1 })
  client.on('state', state => state === 'disconnected' && clearTimeout(timer))
  return client.connect()
}
