import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { freePort, isOpen, loopback, start, until } from '../../helper/processes.mjs'
import { openRawSocket } from '../../helper/raw-client.mjs'
import { commonChecks, fastSessions } from '../bounds.mjs'
import { flood } from '../publisher.mjs'
import { openWitness } from '../witness.mjs'

/** Publishers fill a Redis that evicts nothing. Calls that protect the others must still work. */

const publishers = 3
const maxMemory = '16mb'
const endMs = 2000
const data = 'x'.repeat(32_000)

export const title = 'publishers fill Redis up to its maxmemory'

export async function prepare() {
  const port = await freePort()
  const args = ['--bind', loopback, '--port', `${port}`, '--save', '', '--maxmemory', maxMemory]
  start('redis-server', [...args, '--maxmemory-policy', 'noeviction'])
  await until('Redis listens', 10_000, () => isOpen(port))
  return {
    context: { port },
    settings: {
      ...fastSessions,
      COUNTERSIGN_STORE: `redis://${loopback}:${port}`,
      COUNTERSIGN_MASTER_KEY: randomBytes(32).toString('base64'),
      COUNTERSIGN_ADMIN_TOKEN: randomBytes(32).toString('base64url')
    }
  }
}

/** Leaves no byte free, however the attack went. */
async function fillUp(port) {
  const redis = new Redis(port, loopback)
  await redis.config('SET', 'maxmemory', '1mb')
  redis.disconnect()
}

export async function run({ gateway, seconds, context }) {
  const witness = await openWitness(gateway)
  const { body: victim } = await gateway.admin('POST', '/clients', { clientId: 'revoked' })
  const session = await openRawSocket(gateway.url, victim)
  const lastFrame = new Promise(resolve => session.socket.on('message', frame => resolve(JSON.parse(frame))))
  const end = performance.now() + seconds * 1000
  const floods = Array.from({ length: publishers }, async (_, p) => {
    const { body } = await gateway.admin('POST', '/clients', { clientId: `flood-${p}`, publish: ['f*'] })
    return flood(gateway.url, body, end, i => ({ type: 'publish', channel: `f.${p}.${i}`, data }))
  })
  const answers = await Promise.all(floods)
  await fillUp(context.port)
  const created = await gateway.admin('POST', '/clients', { clientId: 'one-more' })
  const revoked = await gateway.admin('DELETE', `/clients/revoked/keys/${victim.keyId}`)
  const suspended = await gateway.admin('PATCH', '/clients/flood-0', { status: 'suspended' })
  const deleted = await gateway.admin('DELETE', '/clients/flood-1')
  const ending = await Promise.race([lastFrame, new Promise(resolve => setTimeout(resolve, endMs))])
  const measured = await witness.stop()
  const [, ...latency] = commonChecks(gateway, measured)
  return {
    checks: [
      ...latency,
      ['other changes are refused', created.status === 503],
      ['a revocation succeeds', revoked.status === 204],
      ['a suspension succeeds', suspended.status === 200],
      ['a deletion succeeds', deleted.status === 204],
      [`the revoked session receives it within ${endMs} ms`, ending?.code === 'SESSION_REVOKED']
    ],
    measured: { ...measured, answers }
  }
}
