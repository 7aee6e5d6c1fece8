import type { InstanceAnnouncement } from '../bridge.js'
import { StoreUnavailable } from '../errors.js'
import { NotPermitted } from './acl.js'
import type { RedisClient } from './client.js'
import type { Keys } from './keys.js'
import { textsOf } from './replies.js'

/** Earlier versions ignore the state at the end. */
const stopping = 'stopping'

export function formatAnnouncement({ schemaVersion, secrets, isStopping }: InstanceAnnouncement): string {
  if (secrets === undefined) return `${schemaVersion}`
  const { adminToken, masterKeys } = secrets
  return [schemaVersion, adminToken, masterKeys, ...(isStopping ? [stopping] : [])].join(' ')
}

function parseAnnouncement(text: string): InstanceAnnouncement {
  const [schema = '', adminToken, masterKeys, state] = text.split(' ')
  const schemaVersion = Number(schema)
  if (adminToken === undefined || masterKeys === undefined) return { schemaVersion }
  const secrets = { adminToken, masterKeys }
  return { schemaVersion, secrets, ...(state === stopping ? { isStopping: true } : {}) }
}

/**
 * What live instances announce. Every instance, also of earlier versions, subscribes to a channel of its own,
 * so that Redis itself knows which ones there are.
 * @returns undefined if this user may not ask
 * @throws StoreUnavailable
 */
export async function announcements(
  redis: RedisClient,
  { notificationPrefix, instance }: Keys
): Promise<readonly InstanceAnnouncement[] | undefined> {
  const channels = await redis.everywhere('PUBSUB', 'CHANNELS', `${notificationPrefix}*`).catch((error: unknown) => {
    const { cause } = error instanceof StoreUnavailable ? error : { cause: undefined }
    if (cause instanceof NotPermitted) return undefined
    throw error
  })
  if (channels === undefined) return undefined
  const ids = new Set(channels.flatMap(textsOf).map(name => name.slice(notificationPrefix.length)))
  const values = await Promise.all([...ids].map(id => redis.unguarded('GET', instance(id))))
  // One without a heartbeat has just begun, or ends: it may be of the oldest version.
  return values.map(value => parseAnnouncement(value === null ? '1' : String(value)))
}
