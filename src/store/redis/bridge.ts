import type { BridgeListener, BridgeState, BridgeStore, ClaimedMessage, ExchangeRequest } from '../bridge.js'
import {
  commitArguments,
  exchangeArguments,
  formatPosition,
  parseCommit,
  parseExchange,
  parseNotification,
  parseState,
  sharedExchangeArguments
} from './bridge-messages.js'
import type { RedisClient } from './client.js'
import { ExchangeBatches } from './exchange-batches.js'
import { formatAnnouncement } from './instances.js'
import { type Keys, sessionKeyLifeMs } from './keys.js'
import type { RedisPin } from './pin.js'
import type { AnnouncedForms } from './pubsub/publication-forms.js'
import { listOf, textsOf } from './replies.js'
import type { BatchCall } from './script-batches.js'

/**
 * Opens a subscription to one Redis channel on a separate connection.
 * @param onConnected  called after each connection: messages before it may have been lost
 * @returns a function that closes it
 */
export type SubscribeToChannel = (
  channel: string,
  onMessage: (message: string) => void,
  onConnected: () => void
) => () => void

/** The reply of bridge-read.lua. @throws UnexpectedReply, SyntaxError */
function parseRead(reply: unknown): BridgeState | undefined {
  const [state] = listOf(reply)
  return state === undefined ? undefined : parseState(state)
}

/** @param rows  seq, text, seq, text, … */
function parseClaimed(rows: readonly string[]): ClaimedMessage[] {
  const messages = Array.from({ length: rows.length / 2 }, (_, i) => ({
    seq: Number(rows[2 * i]),
    text: rows[2 * i + 1] ?? ''
  }))
  return messages.sort((a, b) => a.seq - b.seq)
}

/** Bytes of the texts that an exchange stores. */
function bytesOf({ messages, answers }: ExchangeRequest): number {
  return (answers ?? messages.map(({ text }) => text)).reduce((sum, text) => sum + Buffer.byteLength(text), 0)
}

function sessionKeys(keys: Keys, sessionId: string): readonly string[] {
  return [keys.bridge(sessionId), keys.bridgeOutbox(sessionId)]
}

function callOf(request: ExchangeRequest, keys: Keys): BatchCall {
  return {
    keys: sessionKeys(keys, request.sessionId),
    shared: sharedExchangeArguments(request, keys.notificationPrefix, sessionKeyLifeMs),
    args: exchangeArguments(request),
    bytes: bytesOf(request)
  }
}

function notifierOf(listener: BridgeListener): (message: string) => void {
  return message => {
    const parsed = parseNotification(message)
    if (parsed !== undefined) listener.notification(parsed.sessionId, parsed.notification)
  }
}

/**
 * Bridge sessions in Redis, each in one slot of a Cluster. The value of an instance's heartbeat is its schema version;
 * versions before schemas wrote 1, the schema that they read.
 * @param forms  of this instance's publications
 */
export function createRedisBridge(
  redis: RedisClient,
  keys: Keys,
  pin: RedisPin,
  subscribe: SubscribeToChannel,
  forms: AnnouncedForms
): BridgeStore {
  const keysOf = (sessionId: string) => sessionKeys(keys, sessionId)
  const exchanges = new ExchangeBatches(redis)

  return {
    async open({ sessionId, info, positions, challengeAt }) {
      const places = [...positions].flatMap(([channel, position]) => [channel, formatPosition(position)])
      await redis.script('bridgeOpen', [keys.bridge(sessionId)], [info, sessionKeyLifeMs, challengeAt, ...places])
    },
    async info(sessionId) {
      const [info, ended] = listOf(await redis.command('HMGET', keys.bridge(sessionId), 'info', 'ended'))
      if (typeof info !== 'string') return pin.confirm(undefined)
      return { info, ...(typeof ended === 'string' ? { ended } : {}) }
    },
    async exchange(request) {
      const reply = await exchanges.add(callOf(request, keys), request.mayUseReserve === true)
      const outcome = redis.parse(keys.bridge(request.sessionId), () => parseExchange(reply, request))
      if (outcome.kind === 'missing') await pin.verify()
      return outcome
    },
    async read(sessionId, answerBytes) {
      const reply = await redis.script('bridgeRead', keysOf(sessionId), [answerBytes])
      return pin.confirm(redis.parse(keys.bridge(sessionId), () => parseRead(reply)))
    },
    async commit(commit) {
      const args = commitArguments(commit, keys.notificationPrefix, sessionKeyLifeMs)
      // Answers to claimed messages and challenges are bounded by the accepted messages; publications wait for memory.
      const mayUseReserve = commit.answered.length > 0 || commit.challenge !== undefined || commit.awaited !== undefined
      const script = mayUseReserve ? 'bridgeCommitFromReserve' : 'bridgeCommit'
      const outcome = parseCommit(await redis.script(script, keysOf(commit.sessionId), args))
      if (outcome === 'gone') await pin.verify()
      return outcome
    },
    async takeOver(sessionId, from, to) {
      return parseClaimed(textsOf(await redis.script('bridgeTakeOver', [keys.bridge(sessionId)], [from, to])))
    },
    async end(sessionId, code, keptMs) {
      const args = [code, keptMs, keys.notificationPrefix, sessionId]
      const [ended = '', isFirst, ...openCalls] = textsOf(await redis.script('bridgeEnd', keysOf(sessionId), args))
      return pin.confirm(ended === '' ? undefined : { code: ended, isFirst: isFirst === '1', openCalls })
    },
    async heartbeat(instanceId, lifeMs, announcement) {
      const text = formatAnnouncement(announcement, forms)
      await redis.script('setFromReserve', [keys.instance(instanceId)], [text, lifeMs])
    },
    isAlive: async instanceId => (await redis.command('EXISTS', keys.instance(instanceId))) === 1,
    listen: (instanceId, listener) =>
      subscribe(keys.notificationPrefix + instanceId, notifierOf(listener), () => listener.mayHaveMissed())
  }
}
