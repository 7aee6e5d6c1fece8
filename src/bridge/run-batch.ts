import { answerFreshChallenge } from '../auth/fresh-challenge.js'
import { ownChannels } from '../auth/permissions.js'
import { type DecodedUpstream, decodeUpstream } from '../protocol/messages.js'
import { CannotUnseal } from '../registry/aead.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { frameErrorOf } from '../session/frame-error.js'
import type { HandlerContext, Reply } from '../session/handlers/handler.js'
import { dispatch } from '../session/handlers/table.js'
import { StoredLicenseSlots } from '../session/license-slots.js'
import { ListBudget } from '../session/list-budget.js'
import type { Outgoing } from '../session/outbox.js'
import type { ChallengeState } from '../store/bridge.js'
import { StoreUnavailable } from '../store/store.js'
import { BatchCalls } from './batch-calls.js'
import type { ClaimSealer } from './claim-sealer.js'
import { decodeChallenge, encodeChallenge } from './fresh-challenge.js'
import type { PendingCommit } from './pending-commit.js'
import type { RegisteredCall } from './polled-calls.js'
import { PolledSubscriptions } from './polled-subscriptions.js'
import type { BridgeSession } from './session.js'
import type { BridgeEnding } from './session-ended.js'

/** A message that this instance claimed. */
export interface ClaimedMessage {
  readonly seq: number
  /** The error of a message whose claim was changed in the store: it may have run elsewhere. */
  readonly decoded: DecodedUpstream | { readonly error: StoreUnavailable }
}

/** What a batch leaves to commit, and whether it ends the session. */
export interface BatchResult {
  readonly pending: PendingCommit
  /** `bye` ends the session once `pending` is committed; any other code ends it at once. */
  readonly ending?: BridgeEnding
  /** To be sent once `pending` is committed. */
  readonly calls: readonly RegisteredCall[]
}

/** Bytes of recovered publications in the answers of one batch; the rest follows as publications (PROTOCOL §10.3). */
const maxRecoveredBytes = 131_072

/** Answers that list things. */
const listTypes: ReadonlySet<string> = new Set<Reply['type']>(['history', 'sessions', 'presence'])

/** Opens a message that this instance took over with its claim. */
export function decodeClaimed(
  claims: ClaimSealer,
  { seq, text }: { readonly seq: number; readonly text: string }
): ClaimedMessage {
  try {
    return { seq, decoded: decodeUpstream(claims.open(seq, text)) }
  } catch (error) {
    if (!(error instanceof CannotUnseal)) throw error
    return { seq, decoded: { error: new StoreUnavailable(error, 'unknown') } }
  }
}

/**
 * Runs claimed messages one after another, in the order of their seqs. Their effects use `sessionId:seq` as idempotency
 * key, so that another instance can repeat a batch whose answers were lost with its instance (PROTOCOL §9.4 c).
 */
export async function runBatch(
  dependencies: SessionDependencies,
  session: BridgeSession,
  messages: readonly ClaimedMessage[]
): Promise<BatchResult> {
  const batch = new Batch(dependencies, session)
  for (const message of messages) {
    await batch.run(message)
    if (batch.isOver) break
  }
  return batch.result
}

class Batch {
  readonly #dependencies: SessionDependencies
  readonly #session: BridgeSession
  readonly #subscriptions: PolledSubscriptions
  readonly #lists: ListBudget
  readonly #calls: BatchCalls
  readonly #context: HandlerContext
  readonly #answered: number[] = []
  readonly #outgoing: Outgoing[] = []
  #challenge: ChallengeState
  #isChallengeAnswered = false
  #recoveredBytes = 0
  #ending: BridgeEnding | undefined

  constructor(dependencies: SessionDependencies, session: BridgeSession) {
    const { settings, channels, store, now } = dependencies
    const { peer, expiresAt } = session
    const { positions, challenge } = session.state.current
    this.#dependencies = dependencies
    this.#session = session
    this.#challenge = challenge
    this.#calls = new BatchCalls(dependencies, session)
    this.#subscriptions = new PolledSubscriptions(channels, settings.limits.recover, ownChannels(peer), positions)
    this.#lists = new ListBudget(settings.limits.listBytes)
    this.#context = {
      dependencies,
      peer,
      subscriptions: this.#subscriptions,
      calls: this.#calls,
      mayRunAgain: true,
      listBytes: () => this.#lists.next(),
      // Any instance may serve the next exchange: the store alone has those that change.
      changeAttributes: () => {},
      licenseSlots: new StoredLicenseSlots(store.licenseSlots, {
        ...{ sessionId: peer.sessionId, endsAt: expiresAt, now },
        hasEnded: () => session.ending !== undefined
      }),
      answerChallenge: (token, signature) => this.#answerChallenge(token, signature)
    }
  }

  get isOver(): boolean {
    return this.#ending !== undefined
  }

  get result(): BatchResult {
    const pending = {
      answered: this.#answered,
      outgoing: this.#outgoing,
      positions: this.#subscriptions.changes,
      ...this.#calls.pending,
      ...(this.#isChallengeAnswered ? { challenge: this.#challenge } : {})
    }
    const { made } = this.#calls
    return { pending, calls: made, ...(this.#ending === undefined ? {} : { ending: this.#ending }) }
  }

  async run(message: ClaimedMessage): Promise<void> {
    this.#answered.push(message.seq)
    try {
      await this.#handle(message)
    } catch (error) {
      const {
        ends,
        seq: _seq,
        ...refusal
      } = frameErrorOf(error, message.seq, this.#session.log, this.#dependencies.boundedLog)
      this.#dependencies.observer.refused(refusal.code)
      this.#session.activity.counter.refused()
      if (ends) this.#ending = refusal.code as BridgeEnding
      else this.#outgoing.push({ type: 'error', re: message.seq, ...refusal })
    }
  }

  async #handle({ seq, decoded }: ClaimedMessage): Promise<void> {
    if ('error' in decoded) throw decoded.error
    const { message } = decoded
    this.#dependencies.observer.received(message.type)
    const answer = await dispatch(this.#context, message)
    if (answer === 'later') return
    const [reply] = Array.isArray(answer) ? answer : [answer]
    if (reply.type === 'subscribed') {
      this.#answerSubscribe(seq, reply)
      return
    }
    if (listTypes.has(reply.type)) this.#lists.spend(Buffer.byteLength(JSON.stringify(reply)))
    this.#outgoing.push(Object.assign({ type: reply.type, re: seq }, reply) as Outgoing)
    if (message.type === 'bye') this.#ending = 'bye'
  }

  #answerChallenge(token: string, signature: string): boolean {
    const { steadyNow, settings } = this.#dependencies
    const open = decodeChallenge(this.#challenge, this.#session.claims)
    const { state, isCorrect } = answerFreshChallenge(open, token, signature, steadyNow(), settings.freshChallengeMs)
    this.#challenge = encodeChallenge(state, this.#session.claims)
    this.#isChallengeAnswered = true
    return isCorrect
  }

  /** Publications that do not fit in the answer are read from its position on, like all others. */
  #answerSubscribe(seq: number, reply: Extract<Reply, { type: 'subscribed' }>): void {
    const { publications, ...rest } = reply
    const [first] = publications ?? []
    this.#recoveredBytes += first === undefined ? 0 : JSON.stringify(publications).length
    const isTooLarge = this.#recoveredBytes > maxRecoveredBytes
    const offset = isTooLarge && first !== undefined ? first.offset - 1 : reply.offset
    this.#subscriptions.moveTo(reply.channel, { offset, epoch: reply.epoch })
    const { type, ...members } = isTooLarge ? { ...rest, offset } : reply
    this.#outgoing.push({ type, re: seq, ...members })
  }
}
