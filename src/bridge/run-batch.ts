import type { Capabilities } from '../auth/capabilities.js'
import { answerFreshChallenge } from '../auth/fresh-challenge.js'
import type { Peer } from '../auth/peer.js'
import { ownChannels } from '../auth/permissions.js'
import { type DecodedUpstream, decodeUpstream } from '../protocol/messages.js'
import { CannotUnseal } from '../registry/aead.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { frameErrorOf } from '../session/frame-error.js'
import type { HandlerContext, Reply } from '../session/handlers/handler.js'
import { dispatch } from '../session/handlers/table.js'
import { type LicenseSlots, StoredLicenseSlots } from '../session/license-slots.js'
import { ListBudget } from '../session/list-budget.js'
import type { Outgoing } from '../session/outbox.js'
import type { ChallengeState } from '../store/bridge.js'
import { type MaybePromise, recoverFrom, whenReady } from '../store/maybe-promise.js'
import { StoreUnavailable } from '../store/store.js'
import { BatchCalls } from './batch-calls.js'
import type { ClaimSealer } from './claim-sealer.js'
import { decodeChallenge, encodeChallenge } from './fresh-challenge.js'
import type { PendingCommit } from './pending-commit.js'
import type { RegisteredCall } from './polled-calls.js'
import { PolledSubscriptions } from './polled-subscriptions.js'
import { noChanges } from './positions.js'
import type { BridgeSession } from './session.js'
import type { BridgeEnding } from './session-ended.js'
import { answerTo } from './sign-outgoing.js'

/** A message that this instance claimed. */
export interface ClaimedMessage {
  readonly seq: number
  /** The error of a message whose claim was changed in the store: it may have run elsewhere. */
  readonly decoded: DecodedUpstream | { readonly error: StoreUnavailable }
}

/** The result of a batch, and whether it ends the session. */
export interface BatchResult {
  readonly pending: PendingCommit
  /** `bye` ends the session once `pending` is committed; any other code ends it at once. */
  readonly ending: BridgeEnding | undefined
  /** The capabilities that it ran with. */
  readonly capabilities: Capabilities
  /** To be sent once `pending` is committed. */
  readonly calls: readonly RegisteredCall[]
}

/** Bytes of recovered publications in the answers of one batch; the rest follows as publications (PROTOCOL §10.3). */
const maxRecoveredBytes = 131_072

const noCalls: readonly RegisteredCall[] = []

/** Answers with lists. */
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
 * key, so that another instance can repeat a batch if its instance is lost before the answers (PROTOCOL §9.4 c).
 */
export function runBatch(
  dependencies: SessionDependencies,
  session: BridgeSession,
  messages: readonly ClaimedMessage[]
): MaybePromise<BatchResult> {
  const batch = new Batch(dependencies, session)
  return whenReady(batch.run(messages), () => batch.result)
}

/** One running batch, and the part of the session that its handlers see. */
class Batch implements HandlerContext {
  readonly dependencies: SessionDependencies
  readonly peer: Peer
  readonly mayRunAgain = true
  readonly #session: BridgeSession
  readonly #lists: ListBudget
  readonly #answered: number[] = []
  readonly #outgoing: Outgoing[] = []
  // Created when a message needs them: most need none.
  #subscriptions: PolledSubscriptions | undefined
  #calls: BatchCalls | undefined
  #slots: LicenseSlots | undefined
  #challenge: ChallengeState | undefined
  #recoveredBytes = 0
  #ending: BridgeEnding | undefined

  constructor(dependencies: SessionDependencies, session: BridgeSession) {
    this.dependencies = dependencies
    this.peer = session.peer
    this.#session = session
    this.#lists = new ListBudget(dependencies.settings.limits.listBytes)
  }

  get result(): BatchResult {
    return {
      pending: {
        answered: this.#answered,
        outgoing: this.#outgoing,
        positions: this.#subscriptions?.changes ?? noChanges,
        challenge: this.#challenge,
        awaited: this.#calls?.awaited,
        answeredCalls: this.#calls?.answered
      },
      ending: this.#ending,
      capabilities: this.peer.capabilities,
      calls: this.#calls?.made ?? noCalls
    }
  }

  get subscriptions(): PolledSubscriptions {
    const { channels, settings } = this.dependencies
    const { positions } = this.#session.state.current
    this.#subscriptions ??= new PolledSubscriptions(
      channels,
      settings.limits.recover,
      ownChannels(this.peer),
      positions
    )
    return this.#subscriptions
  }

  get calls(): BatchCalls {
    this.#calls ??= new BatchCalls(this.dependencies, this.#session)
    return this.#calls
  }

  get licenseSlots(): LicenseSlots {
    const { store, now } = this.dependencies
    const session = this.#session
    this.#slots ??= new StoredLicenseSlots(store.licenseSlots, {
      ...{ sessionId: this.peer.sessionId, endsAt: session.expiresAt, now },
      hasEnded: () => session.ending !== undefined
    })
    return this.#slots
  }

  /** Any instance may serve the next exchange, so only the store has changed attributes. */
  changeAttributes(): void {}

  listBytes(): number {
    return this.#lists.next()
  }

  answerChallenge(token: string, signature: string): boolean {
    const { steadyNow, settings } = this.dependencies
    const { claims, state } = this.#session
    const open = decodeChallenge(this.#challenge ?? state.current.challenge, claims)
    const answered = answerFreshChallenge(open, token, signature, steadyNow(), settings.freshChallengeMs)
    this.#challenge = encodeChallenge(answered.state, claims)
    return answered.isCorrect
  }

  /** Runs the messages from one on, until one of them ends the session. */
  run(messages: readonly ClaimedMessage[], from = 0): MaybePromise<void> {
    const message = messages[from]
    if (message === undefined || this.#ending !== undefined) return
    this.#answered.push(message.seq)
    const run = recoverFrom(
      () => this.#handle(message),
      error => this.#refuse(message.seq, error)
    )
    return whenReady(run, () => this.run(messages, from + 1))
  }

  #refuse(re: number, error: unknown): void {
    const { boundedLog, observer } = this.dependencies
    const { ends, seq: _seq, ...refusal } = frameErrorOf(error, re, this.#session.log, boundedLog)
    observer.refused(refusal.code)
    this.#session.activity.counter.refused()
    if (ends) this.#ending = refusal.code as BridgeEnding
    else this.#outgoing.push({ type: 'error', re, ...refusal })
  }

  #handle({ seq, decoded }: ClaimedMessage): MaybePromise<void> {
    if ('error' in decoded) throw decoded.error
    const { message } = decoded
    this.dependencies.observer.received(message.type)
    return whenReady(dispatch(this, message), answer => {
      if (answer === 'later') return
      this.#answer(seq, Array.isArray(answer) ? answer[0] : answer)
      if (message.type === 'bye') this.#ending = 'bye'
    })
  }

  #answer(seq: number, reply: Reply): void {
    if (reply.type === 'subscribed') {
      this.#answerSubscribe(seq, reply)
      return
    }
    if (listTypes.has(reply.type)) this.#lists.spend(Buffer.byteLength(JSON.stringify(reply)))
    this.#outgoing.push(answerTo(seq, reply))
  }

  /** Publications that do not fit in the answer are read from its position on, like all others. */
  #answerSubscribe(seq: number, reply: Extract<Reply, { type: 'subscribed' }>): void {
    const { publications, ...rest } = reply
    const [first] = publications ?? []
    this.#recoveredBytes += first === undefined ? 0 : JSON.stringify(publications).length
    const isTooLarge = this.#recoveredBytes > maxRecoveredBytes
    const offset = isTooLarge && first !== undefined ? first.offset - 1 : reply.offset
    this.subscriptions.moveTo(reply.channel, { offset, epoch: reply.epoch })
    const { type, ...members } = isTooLarge ? { ...rest, offset } : reply
    this.#outgoing.push({ type, re: seq, ...members })
  }
}
