import {
  type AwaitedCall,
  type BridgeCommit,
  type BridgeNotification,
  type BridgeState,
  burstSeconds,
  type ChallengeState,
  type Claim,
  type CommitOutcome,
  type ExchangeOutcome,
  type ExchangeRequest,
  leavesNothingOpen
} from '../bridge.js'
import type { Position } from '../channels.js'
import { framesWithin } from '../frames-within.js'
import { integerOf, listOf, numberOf, textOf, textsOf } from './replies.js'

/** Arguments and replies of the bridge's scripts. */

type Argument = string | number

export function formatPosition({ offset, epoch }: Position): string {
  return `${offset}:${epoch}`
}

function parsePosition(text: string): Position {
  const end = text.indexOf(':')
  return { offset: numberOf(text.slice(0, Math.max(end, 0))), epoch: text.slice(end + 1) }
}

function parseClaims(reply: unknown): readonly Claim[] {
  const items = listOf(reply)
  return Array.from({ length: items.length / 2 }, (_, i) => ({
    seq: integerOf(items[2 * i]),
    owner: textOf(items[2 * i + 1])
  }))
}

function parsePositions(reply: unknown): ReadonlyMap<string, Position> {
  const items = textsOf(reply)
  const positions = new Map<string, Position>()
  for (let i = 0; i + 1 < items.length; i += 2) positions.set(items[i] ?? '', parsePosition(items[i + 1] ?? ''))
  return positions
}

function formatAwaited({ recordId, deadline, digest }: AwaitedCall): string {
  return `${recordId} ${deadline} ${digest}`
}

function parseAwaited(reply: unknown): ReadonlyMap<number, AwaitedCall> {
  const items = textsOf(reply)
  const awaited = new Map<number, AwaitedCall>()
  for (let i = 0; i + 1 < items.length; i += 2) {
    const [recordId = '', deadline, digest = ''] = items[i + 1]?.split(' ') ?? []
    awaited.set(numberOf(items[i]), { recordId, deadline: numberOf(deadline), digest })
  }
  return awaited
}

function parseChallenge(nextAt: unknown, reply: unknown): ChallengeState {
  const open = textOf(reply)
  return { nextAt: numberOf(nextAt), ...(open === '' ? {} : { open }) }
}

/** See `scripts/include/bridge-state.lua`. */
export function parseState(reply: unknown): BridgeState {
  const [version, received, sent, ack, challengeAt, challenge, frames, claims, positions, awaited] = listOf(reply)
  return {
    version: integerOf(version),
    received: integerOf(received),
    sent: integerOf(sent),
    ack: integerOf(ack),
    frames: textsOf(frames),
    claims: parseClaims(claims),
    positions: parsePositions(positions),
    challenge: parseChallenge(challengeAt, challenge),
    awaited: parseAwaited(awaited)
  }
}

/** The known state, if the exchange alone determines the next one, provided that the store has not changed since. */
function knownBefore({ known, ack }: ExchangeRequest): BridgeState | undefined {
  return known !== undefined && leavesNothingOpen(known, ack) ? known : undefined
}

/** The state after an exchange that alone changed `known`. @param claimed  messages, the last of the batch */
function stateFrom(known: BridgeState, request: ExchangeRequest, claimed: number): BridgeState {
  const { ack, instanceId, messages, answers = [], answerBytes } = request
  const { version, received, sent, positions, challenge, awaited } = known
  const claims = messages.slice(messages.length - claimed).map(({ seq }) => ({ seq, owner: instanceId }))
  return {
    version: answers.length === 0 ? version : version + 1,
    received: received + claimed + answers.length,
    sent: sent + answers.length,
    ack,
    frames: framesWithin(answers, answerBytes),
    ...{ claims, positions, challenge, awaited }
  }
}

/** The arguments of one exchange, see `scripts/bridge-exchange.lua`. */
export function exchangeArguments(request: ExchangeRequest): readonly Argument[] {
  const { sessionId, poll, ack, isLongPoll, messages, answers = [] } = request
  const known = knownBefore(request)
  const args = [sessionId, poll, ack, isLongPoll ? 1 : 0, known?.version ?? '', known?.received ?? '']
  args.push(messages.length, answers.length, ...answers)
  for (const { seq, text } of messages) args.push(seq, answers.length === 0 ? text : '')
  return args
}

/** Arguments shared by all exchanges of an instance. @param lifeMs  life of the outbox */
export function sharedExchangeArguments(
  { instanceId, answerBytes, perSecond }: ExchangeRequest,
  notificationPrefix: string,
  lifeMs: number
): readonly Argument[] {
  return [instanceId, answerBytes, perSecond, burstSeconds, notificationPrefix, lifeMs]
}

/** See `scripts/bridge-exchange.lua`. */
export function parseExchange(reply: unknown, request: ExchangeRequest): ExchangeOutcome {
  const [kind, second, third, fourth] = listOf(reply)
  switch (kind) {
    case 'missing':
      return { kind, isRewound: second === 1 }
    case 'stale':
    case 'changed':
      return { kind }
    case 'ended':
      return { kind, code: textOf(second) }
    case 'gap':
      return { kind, expectedSeq: integerOf(second) }
    case 'limited':
      return { kind, retryAfterMs: integerOf(second) }
    default: {
      const claimed = integerOf(third)
      const known = fourth === undefined ? knownBefore(request) : undefined
      const state = known === undefined ? parseState(fourth) : stateFrom(known, request, claimed)
      return { kind: 'accepted', isNewPoll: second === 1, claimed, state }
    }
  }
}

/** The fields of the session that a commit changes, each with its value; '' removes it. */
function changedFields({ positions, awaited, receives, answeredCalls = [] }: BridgeCommit): readonly string[] {
  return [
    ...[...positions].flatMap(([channel, at]) => [`p:${channel}`, at === undefined ? '' : formatPosition(at)]),
    ...[...(awaited ?? [])].flatMap(([seq, call]) => [`k:${seq}`, call === undefined ? '' : formatAwaited(call)]),
    ...(receives === undefined ? [] : [`o:${receives.callId}`, `${receives.expiresAt}`]),
    ...answeredCalls.flatMap(callId => [`o:${callId}`, ''])
  ]
}

/** See `scripts/bridge-commit.lua`. @param lifeMs  life of the outbox */
export function commitArguments(commit: BridgeCommit, notificationPrefix: string, lifeMs: number): readonly Argument[] {
  const { sessionId, instanceId, version, answered, frames, challenge, receives, maxFrames, maxBytes } = commit
  return [
    ...[instanceId, version, commit.notify ?? '', maxFrames, maxBytes, notificationPrefix, sessionId],
    ...[lifeMs, challenge?.nextAt ?? '', challenge?.open ?? '', receives?.maxOpen ?? '', receives?.now ?? ''],
    ...[answered.length, frames.length, ...answered, ...frames],
    ...changedFields(commit)
  ]
}

const commitOutcomes: readonly CommitOutcome[] = ['done', 'changed', 'full', 'busy']

/** See `scripts/bridge-commit.lua`. */
export function parseCommit(reply: unknown): CommitOutcome {
  return commitOutcomes.find(outcome => outcome === reply) ?? 'gone'
}

const notifications: readonly BridgeNotification[] = ['frames', 'call', 'channels', 'superseded', 'claims', 'ended']

/** Reads `<notification> <session id>`; undefined for a notification unknown to this version. */
export function parseNotification(
  message: string
): { readonly notification: BridgeNotification; readonly sessionId: string } | undefined {
  const [name = '', sessionId = ''] = message.split(' ')
  const notification = notifications.find(each => each === name)
  return notification === undefined ? undefined : { notification, sessionId }
}
