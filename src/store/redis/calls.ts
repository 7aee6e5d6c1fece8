import { type CallStore, maxCallWaiters, type OpenedCall, type SettledCall } from '../calls.js'
import type { SubscribeToChannel } from './bridge.js'
import type { RedisClient } from './client.js'
import type { Keys } from './keys.js'
import { listOf, textOf, UnexpectedReply } from './replies.js'

function parseWaiters(text: string): readonly string[] {
  return text === '' ? [] : text.split('\n')
}

/** See `scripts/call-open.lua`. @throws UnexpectedReply */
function parseOpened(reply: unknown): OpenedCall | undefined {
  const [kind, callId, result] = listOf(reply)
  switch (kind) {
    case 'opened':
    case 'conflict':
      return { kind }
    case 'repeated':
      return { kind, callId: textOf(callId), ...(typeof result === 'string' ? { result } : {}) }
    default:
      return undefined
  }
}

/** See `scripts/call-settle.lua`. */
function parseSettled(reply: unknown): SettledCall {
  const [kind, waiters] = listOf(reply)
  if (kind === 'settled') return { kind, waiters: parseWaiters(textOf(waiters)) }
  return { kind: kind === 'repeated' ? kind : 'missing' }
}

/**
 * Calls in Redis, one record in one slot of a Cluster. Memory is bounded by `maxmemory`, and by the quotas of their
 * owners during the life of a record.
 */
export function createRedisCalls(redis: RedisClient, keys: Keys, subscribe: SubscribeToChannel): CallStore {
  async function open(recordId: string, args: readonly (string | number)[]): Promise<OpenedCall | undefined> {
    const key = keys.call(recordId)
    const reply = await redis.script('callOpen', [key], [...args, maxCallWaiters])
    return redis.parse(key, () => parseOpened(reply))
  }

  return {
    async open({ recordId, callId, digest, lifeMs, waiter, others = [] }) {
      const waiters = [...others, waiter].slice(-maxCallWaiters).join('\n')
      const opened = await open(recordId, [callId, digest, waiters, lifeMs])
      if (opened === undefined) throw new UnexpectedReply(opened)
      return opened
    },
    async join({ recordId, digest, waiter }) {
      const joined = await open(recordId, ['', digest, waiter, 0])
      return joined?.kind === 'opened' ? undefined : joined
    },
    async settle(recordId, callId, result) {
      const reply = await redis.script('callSettle', [keys.call(recordId)], [callId, result])
      return redis.parse(keys.call(recordId), () => parseSettled(reply))
    },
    async drop(recordId, callId) {
      return parseWaiters(textOf(await redis.script('callDrop', [keys.call(recordId)], [callId])))
    },
    async result({ recordId, digest }) {
      const [kept, result] = listOf(await redis.command('HMGET', keys.call(recordId), 'digest', 'result'))
      return kept === digest && typeof result === 'string' ? result : undefined
    },
    async send(instanceId, text) {
      const receivers = await redis.command('PUBLISH', keys.callPrefix + instanceId, text)
      // A node of a Cluster knows only its own subscribers.
      return redis.isCluster || receivers !== 0
    },
    listen: (instanceId, listener) => subscribe(keys.callPrefix + instanceId, listener, () => {})
  }
}
