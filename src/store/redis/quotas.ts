import type { QuotaStore } from '../quotas.js'
import type { RedisClient } from './client.js'
import type { Keys } from './keys.js'
import { textsOf } from './replies.js'

/** The use of each owner, in a separate hash. */
export function createRedisQuotas(redis: RedisClient, keys: Keys): QuotaStore {
  return {
    async add({ owner, amounts, ended, lifeMs }) {
      const pairs = amounts.flatMap(({ field, amount }) => [field, amount])
      const args = [lifeMs, ended.length, ...ended, ...pairs]
      const rows = textsOf(await redis.script('quotaAdd', [keys.quota(owner)], args))
      const sums = new Map<string, number>()
      for (let i = 0; i + 1 < rows.length; i += 2) sums.set(rows[i] ?? '', Number(rows[i + 1]))
      return sums
    }
  }
}
