import { noCounts, type SessionCounts } from '../ephemeral.js'
import type { RedisClient } from './client.js'
import type { Keys } from './keys.js'
import { listOf, textsOf } from './replies.js'

/** @param text  as written by session-touch.lua, or null */
function parseCounts(text: unknown): SessionCounts {
  if (typeof text !== 'string') return noCounts
  const [frames = 0, bytes = 0, refused = 0] = text.split(' ').map(Number)
  return { frames, bytes, refused }
}

/** Traffic of sessions, added up over instances. */
export class RedisSessionCounts {
  readonly #redis: RedisClient
  readonly #keys: Keys

  constructor(redis: RedisClient, keys: Keys) {
    this.#redis = redis
    this.#keys = keys
  }

  async read(ids: readonly string[]): Promise<ReadonlyMap<string, SessionCounts>> {
    if (ids.length === 0) return new Map()
    const texts = listOf(await this.#redis.command('HMGET', this.#keys.sessionCounts, ...ids))
    return new Map(ids.map((id, i) => [id, parseCounts(texts[i])]))
  }

  /** Ids of the sessions with the most frames, in descending order. */
  async topIds(limit: number): Promise<readonly string[]> {
    return textsOf(await this.#redis.command('ZREVRANGE', this.#keys.sessionTop, 0, limit - 1))
  }

  /** Removes remains of sessions that an instance of an earlier version ended. */
  async forget(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#redis.command('ZREM', this.#keys.sessionTop, ...ids)
    await this.#redis.command('HDEL', this.#keys.sessionCounts, ...ids)
  }
}
