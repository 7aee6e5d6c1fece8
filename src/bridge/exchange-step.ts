import type { SessionDependencies } from '../session/dependencies.js'
import { answerStateless } from '../session/handlers/table.js'
import type { BridgeState, ExchangeOutcome, ExchangeRequest } from '../store/bridge.js'
import { type MaybePromise, whenReady } from '../store/maybe-promise.js'
import { plainClaims } from './claim-sealer.js'
import type { BatchMessage, ExchangeBody } from './request.js'
import type { BridgeSession } from './session.js'
import { answerTo, signOutgoing } from './sign-outgoing.js'

/**
 * The step of an exchange in the store: claims the messages, or commits their answers at once where those are ready.
 */

type StoredMessage = ExchangeRequest['messages'][number]

/** The messages are claimed if the stored state differs from the expected one. */
export type StepOutcome = Exclude<ExchangeOutcome, { kind: 'changed' }>

/** @throws StoreUnavailable */
export function exchangeInStore(
  dependencies: SessionDependencies,
  session: BridgeSession,
  body: ExchangeBody
): MaybePromise<StepOutcome> {
  const { bridge } = dependencies.store
  const claim = () => {
    const request = requestOf(dependencies, session, body, sealMessages(session, body.messages))
    return whenReady(bridge.exchange(request), withoutChanged)
  }
  const answers = answersAhead(dependencies, session, body)
  if (answers === undefined) return claim()
  return whenReady(bridge.exchange(requestOf(dependencies, session, body, body.messages, answers)), outcome => {
    if (outcome.kind === 'changed') return claim()
    if (outcome.kind === 'accepted') for (const { decoded } of body.messages) countReceived(dependencies, decoded)
    return outcome
  })
}

function withoutChanged(outcome: ExchangeOutcome): StepOutcome {
  if (outcome.kind === 'changed') throw new Error('the store compared answers that it did not get')
  return outcome
}

function countReceived({ observer }: SessionDependencies, decoded: BatchMessage['decoded']): void {
  if ('message' in decoded) observer.received(decoded.message.type)
}

function requestOf(
  { settings }: SessionDependencies,
  { peer, state }: BridgeSession,
  body: ExchangeBody,
  messages: readonly StoredMessage[],
  answers?: readonly string[]
): ExchangeRequest {
  const { instanceId, limits, framesPerSecond } = settings
  const { poll, ack, wait } = body.poll
  return {
    sessionId: peer.sessionId,
    instanceId,
    poll,
    ack,
    isLongPoll: wait > 0 && limits.waitMax > 0,
    messages,
    answerBytes: limits.answerBytes,
    perSecond: framesPerSecond,
    mayUseReserve: body.messages.every(keepsAliveOrEnds),
    known: state.isUncertain ? undefined : state.latest,
    answers
  }
}

/**
 * The answers to a batch whose messages all have no effect and need no store, for a client that has all frames: the
 * next seq follows its last acknowledged one.
 * @returns undefined for other batches, or if this instance knows of open frames or messages
 */
function answersAhead(
  dependencies: SessionDependencies,
  { state: { latest }, signer }: BridgeSession,
  { poll: { ack }, messages }: ExchangeBody
): readonly string[] | undefined {
  const [first] = messages
  if (first === undefined) return undefined
  if (latest !== undefined && mayBeOpen(latest, ack, first.seq)) return undefined
  const answers: string[] = []
  for (const { seq, decoded } of messages) {
    const reply = 'message' in decoded ? answerStateless({ dependencies }, decoded.message) : undefined
    if (reply === undefined) return undefined
    answers.push(signOutgoing(signer, answerTo(seq, reply), ack + 1 + answers.length))
  }
  return answers
}

/** Whether frames are unacknowledged, or messages up to `seq` were accepted already. Another instance may know more. */
function mayBeOpen({ sent, received, claims }: BridgeState, ack: number, seq: number): boolean {
  return sent > ack || received >= seq || claims.length > 0
}

/** The messages as stored with their claims. A message claimed before has only its seq. */
function sealMessages({ claims, state }: BridgeSession, messages: ExchangeBody['messages']): readonly StoredMessage[] {
  if (claims === plainClaims || messages.length === 0) return messages
  const received = state.latest?.received ?? 0
  return messages.map(({ seq, text }) => ({ seq, text: seq > received ? claims.seal(seq, text) : '' }))
}

/** Messages that keep a live session alive, and messages that free memory; none allocates lasting memory. */
const frugalTypes: ReadonlySet<string> = new Set(['heartbeat', 'challengeResponse', 'unsubscribe', 'bye'])

function keepsAliveOrEnds({ decoded }: BatchMessage): boolean {
  return 'message' in decoded && frugalTypes.has(decoded.message.type)
}
