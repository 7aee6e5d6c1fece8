import type { Redis } from '../ioredis.js'
import { keySlot } from '../key-slot.js'

/** One of Redis' two kinds of subscriptions, which do not receive each other's messages. */
export interface SubscriptionForm {
  readonly event: 'message' | 'smessage'
  /** @returns the names served by another node */
  subscribe(redis: Redis, names: readonly string[]): Promise<readonly string[]>
  /** @throws Error of Redis or of the connection */
  unsubscribe(redis: Redis, names: readonly string[]): Promise<void>
}

/** SUBSCRIBE: a Cluster sends each message to all of its nodes. */
export const plainForm: SubscriptionForm = {
  event: 'message',
  async subscribe(redis, names) {
    await redis.subscribe(...names)
    return []
  },
  async unsubscribe(redis, names) {
    await redis.unsubscribe(...names)
  }
}

function isMoved(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('MOVED ')
}

/** One command may name only channels of one slot. */
function bySlot(names: readonly string[]): readonly string[][] {
  const groups = new Map<number, string[]>()
  for (const name of names) {
    const slot = keySlot(name)
    const group = groups.get(slot)
    if (group === undefined) groups.set(slot, [name])
    else group.push(name)
  }
  return [...groups.values()]
}

/** @returns the names of the groups served by another node */
async function eachSlot(
  redis: Redis,
  names: readonly string[],
  run: (group: string[]) => Promise<unknown>
): Promise<readonly string[]> {
  redis.stream.cork()
  const replies = bySlot(names).map(group =>
    run(group).then(
      () => [],
      (error: unknown) => {
        if (isMoved(error)) return group
        throw error
      }
    )
  )
  redis.stream.uncork()
  return (await Promise.all(replies)).flat()
}

/** SSUBSCRIBE (Redis 7, Valkey) on a Cluster: a message stays in the shard of the channel's slot. */
export const shardedForm: SubscriptionForm = {
  event: 'smessage',
  subscribe: (redis, names) => eachSlot(redis, names, group => redis.ssubscribe(...group)),
  async unsubscribe(redis, names) {
    await eachSlot(redis, names, group => redis.sunsubscribe(...group))
  }
}

/** SSUBSCRIBE on a server that has all slots. */
export const shardedFormOfOne: SubscriptionForm = {
  event: 'smessage',
  async subscribe(redis, names) {
    await redis.ssubscribe(...names)
    return []
  },
  async unsubscribe(redis, names) {
    await redis.sunsubscribe(...names)
  }
}
