import { type BridgeNotification, type BridgeState, type BridgeStore, burstSeconds } from '../bridge.js'
import type { Position } from '../channels.js'
import type { RedisClient } from './client.js'
import type { Keys } from './keys.js'
import { integerOf, listOf, textOf, textsOf } from './replies.js'

/** Keys of a session outlive any session (24 h) by an hour: a backstop behind the reaper. */
const sessionKeyLifeMs = 25 * 60 * 60 * 1000

function formatPosition({ offset, epoch }: Position): string {
  return `${offset}:${epoch}`
}

function parsePosition(text: string): Position {
  const end = text.indexOf(':')
  return { offset: Number(text.slice(0, end)), epoch: text.slice(end + 1) }
}

/** See `scripts/include/bridge-state.lua`. */
function parseState(reply: unknown): BridgeState {
  const [version, received, sent, ack, challengeAt, challenge, frames, claims, positions] = listOf(reply)
  const claimed = listOf(claims)
  const places = textsOf(positions)
  const open = textOf(challenge)
  return {
    version: integerOf(version),
    received: integerOf(received),
    sent: integerOf(sent),
    ack: integerOf(ack),
    frames: textsOf(frames),
    claims: Array.from({ length: claimed.length / 2 }, (_, i) => ({
      seq: integerOf(claimed[2 * i]),
      owner: textOf(claimed[2 * i + 1])
    })),
    positions: new Map(
      Array.from({ length: places.length / 2 }, (_, i) => [places[2 * i] ?? '', parsePosition(places[2 * i + 1] ?? '')])
    ),
    challenge: { nextAt: Number(textOf(challengeAt)), ...(open === '' ? {} : { open }) }
  }
}

const words: readonly BridgeNotification[] = ['frames', 'channels', 'superseded', 'claims', 'ended']

function parseWord(message: string): { word: BridgeNotification; sessionId: string } | undefined {
  const [name = '', sessionId = ''] = message.split(' ')
  const word = words.find(each => each === name)
  return word === undefined ? undefined : { word, sessionId }
}

/**
 * Sessions of the bridge in Redis, each in one slot of a cluster.
 * @param subscribe  opens a subscription of its own to one channel; the callback gets nothing after a reconnection
 */
export function createRedisBridge(
  redis: RedisClient,
  keys: Keys,
  subscribe: (channel: string, onMessage: (message?: string) => void) => () => void
): BridgeStore {
  const keysOf = (sessionId: string) => [keys.bridge(sessionId), keys.bridgeOutbox(sessionId)]

  return {
    async open({ sessionId, info, positions, challengeAt }) {
      const places = [...positions].flatMap(([channel, position]) => [channel, formatPosition(position)])
      await redis.script('bridgeOpen', [keys.bridge(sessionId)], [info, sessionKeyLifeMs, challengeAt, ...places])
    },

    async info(sessionId) {
      const [info, ended] = listOf(await redis.command('HMGET', keys.bridge(sessionId), 'info', 'ended'))
      if (typeof info !== 'string') return undefined
      return { info, ...(typeof ended === 'string' ? { ended } : {}) }
    },

    async exchange({ sessionId, instanceId, poll, ack, isLongPoll, messages, answerBytes, perSecond }) {
      const args = [
        instanceId,
        poll,
        ack,
        isLongPoll ? 1 : 0,
        answerBytes,
        perSecond,
        burstSeconds,
        keys.wordPrefix,
        sessionId
      ]
      const batch = messages.flatMap(({ seq, text }) => [seq, text])
      const reply = listOf(await redis.script('bridgeExchange', keysOf(sessionId), [...args, ...batch]))
      const [kind, second, third, fourth] = reply
      switch (kind) {
        case 'missing':
          return { kind, isRewound: second === 1 }
        case 'stale':
          return { kind }
        case 'ended':
          return { kind, code: textOf(second) }
        case 'gap':
          return { kind, expectedSeq: integerOf(second) }
        case 'limited':
          return { kind, retryAfterMs: integerOf(second) }
        default:
          return {
            kind: 'accepted',
            isNewPoll: second === 1,
            claimed: integerOf(third),
            state: parseState(fourth)
          }
      }
    },

    async read(sessionId, answerBytes) {
      const [state] = listOf(await redis.script('bridgeRead', keysOf(sessionId), [answerBytes]))
      return state === undefined ? undefined : parseState(state)
    },

    async commit({ sessionId, instanceId, version, answered, frames, positions, challenge, notify: word, ...bounds }) {
      const outcome = await redis.script('bridgeCommit', keysOf(sessionId), [
        ...[instanceId, version, word ?? '', bounds.maxFrames, bounds.maxBytes, keys.wordPrefix, sessionId],
        ...[sessionKeyLifeMs, challenge?.nextAt ?? '', challenge?.open ?? ''],
        ...[answered.length, frames.length, ...answered, ...frames],
        ...[...positions].flatMap(([channel, at]) => [channel, at === undefined ? '' : formatPosition(at)])
      ])
      switch (outcome) {
        case 'done':
        case 'changed':
        case 'full':
          return outcome
        default:
          return 'gone'
      }
    },

    async takeOver(sessionId, from, to) {
      const rows = textsOf(await redis.script('bridgeTakeOver', [keys.bridge(sessionId)], [from, to]))
      const taken = Array.from({ length: rows.length / 2 }, (_, i) => ({
        seq: Number(rows[2 * i]),
        text: rows[2 * i + 1] ?? ''
      }))
      return taken.sort((a, b) => a.seq - b.seq)
    },

    async end(sessionId, code, keptMs) {
      const args = [code, keptMs, keys.wordPrefix, sessionId]
      const ended = textOf(await redis.script('bridgeEnd', keysOf(sessionId), args))
      return ended === '' ? undefined : ended
    },

    async heartbeat(instanceId, lifeMs) {
      await redis.command('SET', keys.instance(instanceId), '1', 'PX', lifeMs)
    },

    async isAlive(instanceId) {
      return (await redis.command('EXISTS', keys.instance(instanceId))) === 1
    },

    listen(instanceId, listener) {
      return subscribe(keys.wordPrefix + instanceId, message => {
        if (message === undefined) {
          listener.mayHaveMissed()
          return
        }
        const parsed = parseWord(message)
        if (parsed !== undefined) listener.notification(parsed.sessionId, parsed.word)
      })
    }
  }
}
