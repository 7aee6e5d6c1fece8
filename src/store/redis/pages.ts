import type { RedisClient } from './client.js'
import { textsOf } from './replies.js'

/** Lists by an index: first the ids, then their entries. An entry removed in between does not shorten the page. */

/** Ids of an index in order, at most `count`. @param after an id; '' begins at the first */
export async function idsAfter(
  redis: RedisClient,
  index: string,
  after: string,
  count: number,
  command: RedisClient['command'] = (name, ...args) => redis.command(name, ...args)
): Promise<readonly string[]> {
  const from = after === '' ? '-' : `(${after}`
  return textsOf(await command('ZRANGE', index, from, '+', 'BYLEX', 'LIMIT', 0, count))
}

/** Reads on until there are `limit` entries or no more ids. */
export async function collectPages<T>(
  after: string,
  limit: number,
  read: (after: string, count: number) => Promise<{ readonly ids: readonly string[]; readonly found: readonly T[] }>
): Promise<readonly T[]> {
  const all: T[] = []
  let last = after
  while (all.length < limit) {
    const wanted = limit - all.length
    const { ids, found } = await read(last, wanted)
    all.push(...found)
    if (ids.length < wanted) break
    last = ids.at(-1) ?? last
  }
  return all
}
