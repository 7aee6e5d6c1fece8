import { createClient } from '../../dist/client/node.js'
import { pause } from '../helper/processes.mjs'

/** A well-behaved client beside an attack: it measures how long its own requests take. */

const pauseMs = 200
const timeoutMs = 15_000

/**
 * Opens a session that asks for a validation every 200 ms until `stop`.
 * @returns {Promise<{ client: object, credential: object, stop(): Promise<{ worstMs: number, requests: number, failed: number, lost: number }> }>}
 */
export async function openWitness(gateway, members = {}) {
  const { body: credential } = await gateway.admin('POST', '/clients', { clientId: 'witness', ...members })
  const client = createClient({ url: `${gateway.url.replace('http', 'ws')}/v1/ws`, credential })
  let worstMs = 0
  let requests = 0
  let failed = 0
  let lost = 0
  let isStopped = false
  const validate = () => client.validate({ serviceId: 's', hwid: 'h', key: 'k' }, { timeoutMs })
  client.on('lost', () => lost++)
  client.connect()
  await validate()
  const loop = (async () => {
    while (!isStopped) {
      const from = performance.now()
      await validate().catch(() => failed++)
      requests++
      worstMs = Math.max(worstMs, Math.round(performance.now() - from))
      await pause(pauseMs)
    }
  })()
  return {
    client,
    credential,
    async stop() {
      isStopped = true
      await loop
      client.close()
      return { worstMs, requests, failed, lost }
    }
  }
}
