import { createClient } from '../../dist/client/node.js'

/** A well-behaved client beside the attack: it measures how long its own requests take. */

const pauseMs = 200
const timeoutMs = 15_000

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Opens a session and asks for a validation every 200 ms until `stop`. */
export async function openWitness(gateway, clientId = 'witness') {
  const { body: credential } = await gateway.admin('POST', '/admin/clients', { clientId })
  const client = createClient({ url: `${gateway.url.replace('http', 'ws')}/v1/ws`, credential })
  const latencies = []
  let lost = 0
  let stopped = false
  client.on('lost', () => lost++)
  client.connect()
  await client.validate({ serviceId: 's', hwid: 'h', key: 'k' })
  const loop = (async () => {
    while (!stopped) {
      const from = performance.now()
      try {
        await client.validate({ serviceId: 's', hwid: 'h', key: 'k' }, { timeoutMs })
        latencies.push(performance.now() - from)
      } catch {
        latencies.push(Number.POSITIVE_INFINITY)
      }
      await pause(pauseMs)
    }
  })()
  return {
    async stop() {
      stopped = true
      await loop
      client.close()
      return { worstMs: Math.round(Math.max(0, ...latencies)), requests: latencies.length, lost }
    }
  }
}
