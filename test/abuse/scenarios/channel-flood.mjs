import { commonChecks, fastSessions } from '../bounds.mjs'
import { flood } from '../publisher.mjs'
import { openWitness } from '../witness.mjs'

/** A client that may only read joins and leaves random names of a pattern. */

export const title = 'a reader joins and leaves channels that do not exist'

export async function prepare() {
  return { settings: fastSessions }
}

export async function run({ gateway, seconds }) {
  const witness = await openWitness(gateway)
  const { body } = await gateway.admin('POST', '/clients', { clientId: 'reader', subscribe: ['f*'] })
  const name = i => `f.${'x'.repeat(100)}.${i >> 1}`
  const messageAt = i => ({ type: i % 2 === 0 ? 'subscribe' : 'unsubscribe', channel: name(i) })
  const answers = await flood(gateway.url, body, performance.now() + seconds * 1000, messageAt)
  const measured = await witness.stop()
  return { checks: commonChecks(gateway, measured), measured: { ...measured, answers } }
}
