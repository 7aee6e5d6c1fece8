import type { StoreMemory } from '../store.js'
import type { RedisClient } from './client.js'

/** `field:<number>` of INFO; undefined if it is missing. */
function numberOf(info: string, field: string): number | undefined {
  const match = new RegExp(`^${field}:(\\d+)`, 'm').exec(info)
  return match === null ? undefined : Number(match[1])
}

/**
 * `INFO memory` of the server; of a Cluster, of the server with the least memory left: a channel is on one server.
 * @returns undefined if no server has a `maxmemory`
 * @throws StoreUnavailable, also if the user may not run INFO
 */
export async function readRedisMemory(redis: RedisClient): Promise<StoreMemory | undefined> {
  const servers = (await redis.infos('memory')).flatMap((info): StoreMemory[] => {
    const maxBytes = numberOf(info, 'maxmemory') ?? 0
    return maxBytes === 0 ? [] : [{ usedBytes: numberOf(info, 'used_memory') ?? 0, maxBytes }]
  })
  return servers.sort((a, b) => a.maxBytes - a.usedBytes - (b.maxBytes - b.usedBytes))[0]
}
