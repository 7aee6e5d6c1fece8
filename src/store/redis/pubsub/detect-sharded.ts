import { randomBytes } from 'node:crypto'
import { StoreUnavailable } from '../../errors.js'
import { NotPermitted } from '../acl.js'
import type { RedisClient } from '../client.js'
import type { RedisConnection } from '../connection-url.js'
import { connectOnce } from '../connections.js'
import { readInstances } from '../instances.js'
import type { Keys } from '../keys.js'

/** Redis' own text may name the user. */
function reasonOf(error: unknown): string {
  const cause = error instanceof StoreUnavailable ? error.cause : error
  const message = cause instanceof Error ? cause.message : ''
  if (cause instanceof NotPermitted) return message
  if (message.startsWith('NOPERM')) return 'the user of Redis may not run SSUBSCRIBE'
  return /unknown command/i.test(message) ? 'this Redis is older than 7.0' : 'it could not be tried'
}

/** Tries SSUBSCRIBE. A node without the slot replies with a redirection, after it has checked the permission. */
async function trySubscription(connection: RedisConnection, name: string): Promise<void> {
  const redis = connectOnce(connection, 0)
  redis.on('error', () => {})
  try {
    await new Promise((resolve, reject) => {
      redis.once('ready', resolve)
      redis.once('end', () => reject(new Error('no connection')))
    })
    await redis.ssubscribe(name)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('MOVED '))) throw error
  } finally {
    redis.disconnect()
  }
}

/**
 * Checks whether sharded publications work here: Redis supports them, and this user may use them and list the
 * instances.
 * @returns undefined if they do, otherwise the reason
 */
export async function whyNotSharded(
  redis: RedisClient,
  connection: RedisConnection,
  keys: Keys
): Promise<string | undefined> {
  const name = keys.channel(`@forms-${randomBytes(9).toString('base64url')}`)
  try {
    await redis.unguarded('SPUBLISH', name, '')
    await trySubscription(connection, name)
    return (await readInstances(redis, keys)) === undefined
      ? 'the user of Redis may not run PUBSUB CHANNELS'
      : undefined
  } catch (error) {
    return reasonOf(error)
  }
}
