import { commonChecks, fastSessions } from '../bounds.mjs'
import { flood } from '../publisher.mjs'
import { openWitness } from '../witness.mjs'

/** Publishers fill the embedded history with large publications to channels of their own. */

const publishers = 2
const data = 'x'.repeat(32_000)

export const title = 'publishers fill the history of random channels'

export async function prepare() {
  // A slow machine, too, reaches it within a short attack.
  return { settings: { ...fastSessions, COUNTERSIGN_CLIENT_HISTORY_BYTES: `${8 * 1024 * 1024}` } }
}

export async function run({ gateway, seconds }) {
  const witness = await openWitness(gateway, { publish: ['witness'] })
  const until = performance.now() + seconds * 1000
  const floods = Array.from({ length: publishers }, async (_, p) => {
    const { body } = await gateway.admin('POST', '/clients', { clientId: `flood-${p}`, publish: ['f*'] })
    return flood(gateway.url, body, until, i => ({ type: 'publish', channel: `f.${p}.${i}`, data }))
  })
  const answers = await Promise.all(floods)
  const own = await witness.client.publish('witness', 'still possible').then(
    () => true,
    () => false
  )
  const measured = await witness.stop()
  return {
    checks: [
      ...commonChecks(gateway, measured),
      ['the publishers receive RATE_LIMITED', answers.every(({ RATE_LIMITED = 0 }) => RATE_LIMITED > 0)],
      ['another client publishes', own]
    ],
    measured: { ...measured, answers }
  }
}
