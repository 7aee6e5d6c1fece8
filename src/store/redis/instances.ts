import type { InstanceAnnouncement } from '../bridge.js'
import { StoreUnavailable } from '../errors.js'
import { NotPermitted } from './acl.js'
import type { RedisClient } from './client.js'
import type { Keys } from './keys.js'
import type { AnnouncedForms } from './pubsub/publication-forms.js'
import { textsOf } from './replies.js'

/** Optional end of an announcement. Earlier versions ignore it. */
const stopping = 'stopping'
const sharded = 'sharded'

/** An instance's announcement; without the digests of its secrets it is its schema version alone. */
export function formatAnnouncement(
  { schemaVersion, secrets, isStopping }: InstanceAnnouncement,
  { isSharded }: AnnouncedForms
): string {
  if (secrets === undefined) return `${schemaVersion}`
  const { adminToken, masterKeys } = secrets
  const states = [...(isStopping ? [stopping] : []), ...(isSharded ? [sharded] : [])]
  return [schemaVersion, adminToken, masterKeys, ...states].join(' ')
}

export interface Instance {
  readonly announcement: InstanceAnnouncement
  /** Undefined before its first heartbeat. */
  readonly forms: AnnouncedForms | undefined
}

function parseInstance(text: string): Instance {
  const [schema = '', adminToken, masterKeys, ...states] = text.split(' ')
  const schemaVersion = Number(schema)
  const forms = { isSharded: states.includes(sharded) }
  if (adminToken === undefined || masterKeys === undefined) return { announcement: { schemaVersion }, forms }
  const isStopping = states.includes(stopping) ? ({ isStopping: true } as const) : {}
  return { announcement: { schemaVersion, secrets: { adminToken, masterKeys }, ...isStopping }, forms }
}

/**
 * The live instances. Every instance, including earlier versions, subscribes to its own channel, so that Redis itself
 * knows them.
 * @returns undefined if this user may not ask
 * @throws StoreUnavailable
 */
export async function readInstances(
  redis: RedisClient,
  { notificationPrefix, instance }: Keys
): Promise<readonly Instance[] | undefined> {
  const channels = await redis.everywhere('PUBSUB', 'CHANNELS', `${notificationPrefix}*`).catch((error: unknown) => {
    const { cause } = error instanceof StoreUnavailable ? error : { cause: undefined }
    if (cause instanceof NotPermitted) return undefined
    throw error
  })
  if (channels === undefined) return undefined
  const ids = new Set(channels.flatMap(textsOf).map(name => name.slice(notificationPrefix.length)))
  const values = await Promise.all([...ids].map(id => redis.unguarded('GET', instance(id))))
  // An instance without a heartbeat has just begun, or is ending: it may be of the oldest version.
  return values.map(value =>
    value === null ? { announcement: { schemaVersion: 1 }, forms: undefined } : parseInstance(String(value))
  )
}
