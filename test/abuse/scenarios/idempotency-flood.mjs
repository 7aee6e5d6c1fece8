import { commonChecks, fastSessions } from '../bounds.mjs'
import { flood } from '../publisher.mjs'
import { openWitness } from '../witness.mjs'

/** One client uses a new idempotency key for every publication; another one needs a few results too. */

export const title = 'one client uses up the results of idempotency keys'

export async function prepare() {
  return { settings: fastSessions }
}

export async function run({ gateway, seconds }) {
  const witness = await openWitness(gateway, { publish: ['witness'] })
  const { body } = await gateway.admin('POST', '/clients', { clientId: 'greedy', publish: ['f'] })
  const until = performance.now() + 3 * seconds * 1000
  const messageAt = i => ({ type: 'publish', channel: 'f', data: i, idempotencyKey: `k${i}` })
  const answers = await flood(gateway.url, body, until, messageAt)
  const others = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) => witness.client.publish('witness', i, { idempotencyKey: `own-${i}` }))
  )
  const measured = await witness.stop()
  return {
    checks: [
      ...commonChecks(gateway, measured),
      ['the other client publishes with its keys', others.every(({ status }) => status === 'fulfilled')]
    ],
    measured: { ...measured, answers }
  }
}
