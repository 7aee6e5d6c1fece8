import type { Peer } from '../auth/peer.js'
import { outboxBytes, outboxFrames } from '../protocol/limits.js'
import type { Mac } from '../protocol/mac.js'
import type { SessionDependencies } from '../session/dependencies.js'
import type { BridgeState, CommitOutcome } from '../store/bridge.js'
import { type MaybePromise, recoverFrom, whenReady } from '../store/maybe-promise.js'
import { StoreUnavailable } from '../store/store.js'
import type { Delivery } from './delivery.js'
import type { WakeReason } from './held-poll.js'
import {
  changesNothing,
  emptyCommit,
  makesCalls,
  type PendingCommit,
  type PendingCommitBuilder
} from './pending-commit.js'
import { applyChanges, joinsAndLeaves } from './positions.js'
import { PresencePacer } from './presence-pacer.js'
import { cutOff, HistoryGap, type PendingFrames, readPending } from './read-pending.js'
import { type BridgeEnding, SessionEnded } from './session-ended.js'
import type { SessionState } from './session-state.js'
import { maxCommitAttempts } from './settings.js'
import { signOutgoing } from './sign-outgoing.js'
import { type CommittedChanges, stateAfter } from './state-after.js'

/** The outbox's session. */
export interface OutboxOwner {
  readonly peer: Peer
  readonly signer: Mac
  readonly ending: string | undefined
  readonly state: SessionState
  end(ending: BridgeEnding): void
  wakeHeldPoll(reason: WakeReason): void
}

export interface CommitOptions {
  readonly delivery: Delivery
  /** Whether the commit also includes the publications after the session's positions. */
  readonly withPublications: boolean
  /** If the frames exceed the outbox: the session ends (PROTOCOL §11; the default), or nothing is committed. */
  readonly ifFull?: 'endSession' | 'refuse'
  /** Whether a held poll must not wait for more frames. Default false. */
  readonly urgent?: boolean
}

/** Why nothing was committed. `lost`: this instance no longer owns the claims. `full`: the outbox has no capacity, or too many calls are open. */
export type NotCommitted = 'lost' | 'full'

/** Commits frames to the stored outbox of one session, one commit at a time. */
export class Outbox {
  readonly #dependencies: SessionDependencies
  readonly #owner: OutboxOwner
  /** The last commit, while it runs. */
  #lastCommit: Promise<void> | undefined
  #isCut = false
  /** Paces the changes of presence that the session watches. */
  readonly pacer: PresencePacer

  constructor(dependencies: SessionDependencies, owner: OutboxOwner) {
    this.#dependencies = dependencies
    this.pacer = new PresencePacer(dependencies.steadyNow)
    this.#owner = owner
  }

  /** Whether publications may be pending. False: none are, as far as this instance receives them. */
  get mayHavePublications(): boolean {
    const { latest, isUncertain } = this.#owner.state
    if (isUncertain || latest === undefined) return true
    for (const [channel, position] of latest.positions) {
      if (this.pacer.waitMs(channel) === 0 && !this.#dependencies.channels.isTop(channel, position)) return true
    }
    return false
  }

  /** Whether publications did not fit into the last commit. */
  get hasMore(): boolean {
    return this.#isCut && this.mayHavePublications
  }

  /**
   * Commits answers and, on request, pending publications. Repeats the commit on the newer state when a commit of
   * another instance came first.
   * @param pending a function when the commit depends on the state; it is called on the newest state
   * @returns the number of committed frames
   * @throws SessionEnded, StoreUnavailable (the outcome is then unknown)
   */
  commit(pending: PendingCommit | PendingCommitBuilder, options: CommitOptions): MaybePromise<number | NotCommitted> {
    const begin = () => this.#commit(pending, options)
    const result = this.#lastCommit?.then(begin) ?? begin()
    if (result instanceof Promise) this.#queueBehind(result)
    return result
  }

  #queueBehind(commit: Promise<unknown>): void {
    const onEnd = () => {
      if (this.#lastCommit === ended) this.#lastCommit = undefined
    }
    const ended = commit.then(onEnd, onEnd)
    this.#lastCommit = ended
  }

  /** Commits pending publications for an answer. @returns the number of committed frames */
  async deliver(): Promise<number> {
    const count = await this.commit(emptyCommit, { delivery: 'inAnswer', withPublications: true })
    return typeof count === 'number' ? count : 0
  }

  #commit(
    wanted: PendingCommit | PendingCommitBuilder,
    options: CommitOptions,
    attempt = 1
  ): MaybePromise<number | NotCommitted> {
    const { ending, state } = this.#owner
    if (ending !== undefined) throw new SessionEnded(ending)
    if (attempt > maxCommitAttempts) {
      throw new StoreUnavailable(new Error(`another instance committed first ${maxCommitAttempts} times`))
    }
    const known = state.isUncertain ? undefined : state.latest
    return whenReady(known ?? state.reload(), newest =>
      whenReady(this.#commitOn(newest, known !== undefined, wanted, options), outcome =>
        outcome === 'changed' ? this.#commit(wanted, options, attempt + 1) : outcome
      )
    )
  }

  /** @param mayBeOld  whether another instance may have changed the session after the state was read */
  #commitOn(
    state: BridgeState,
    mayBeOld: boolean,
    wanted: PendingCommit | PendingCommitBuilder,
    options: CommitOptions
  ): MaybePromise<number | NotCommitted | 'changed'> {
    const pending = typeof wanted === 'function' ? wanted(state) : wanted
    if (pending === undefined && !mayBeOld) return 0
    if (pending === undefined) {
      this.#owner.state.markUncertain()
      return 'changed'
    }
    if (pending.answered.some(seq => !this.#ownsClaim(state, seq))) return 'lost'
    if (!options.withPublications) return this.#tryCommit(state, pending, cutOff, options)
    return whenReady(this.#readPending(state, pending), publications => {
      this.#isCut = publications.isCut
      return this.#tryCommit(state, pending, publications, options)
    })
  }

  #ownsClaim({ claims }: BridgeState, seq: number): boolean {
    return claims.some(claim => claim.seq === seq && claim.owner === this.#dependencies.settings.instanceId)
  }

  /** Publications that do not fit beside the waiting frames stay in their channel until there is space. */
  #readPending(state: BridgeState, { positions, outgoing }: PendingCommit): MaybePromise<PendingFrames> {
    const { channels, settings, presence } = this.#dependencies
    const waitingBytes = state.frames.reduce((sum, frame) => sum + frame.length, 0)
    const freeBytes = settings.limits.answerBytes - waitingBytes
    if (freeBytes <= 0 || (outgoing.length > 0 && outgoing.length + state.frames.length >= outboxFrames)) return cutOff
    const reader = { sessionId: this.#owner.peer.sessionId, pacer: this.pacer, presence }
    return recoverFrom(
      () => readPending(channels, applyChanges(state.positions, positions), freeBytes, reader),
      error => {
        if (!(error instanceof HistoryGap)) throw error
        return this.#endSlowConsumer()
      }
    )
  }

  /** @returns the number of committed frames */
  #tryCommit(
    state: BridgeState,
    pending: PendingCommit,
    publications: PendingFrames,
    options: CommitOptions
  ): MaybePromise<number | 'changed' | 'full'> {
    const { store, settings } = this.#dependencies
    const { peer, signer, state: known } = this.#owner
    const isUnmoved = publications.positions.size === 0
    const isAlone = publications.outgoing.length === 0
    const outgoing = isAlone ? pending.outgoing : [...pending.outgoing, ...publications.outgoing]
    if (outgoing.length === 0 && isUnmoved && changesNothing(pending)) return 0
    const frames = outgoing.map((message, i) => signOutgoing(signer, message, state.sent + 1 + i))
    const positions = isUnmoved ? pending.positions : new Map([...pending.positions, ...publications.positions])
    const moves = joinsAndLeaves(state.positions, positions)
    const wakes = frames.length > 0 && options.delivery === 'wakeHeldPoll'
    // A held poll waits until the first known outcome is due.
    const isNews = moves.length > 0 || makesCalls(pending)
    const notify = wakes ? (options.urgent === true ? 'call' : 'frames') : isNews ? 'channels' : undefined
    known.markUncertain()
    const committed = store.bridge.commit({
      sessionId: peer.sessionId,
      instanceId: settings.instanceId,
      version: state.version,
      answered: pending.answered,
      frames,
      positions,
      challenge: pending.challenge,
      awaited: pending.awaited,
      receives: pending.receives,
      answeredCalls: pending.answeredCalls,
      notify,
      maxFrames: outboxFrames,
      maxBytes: outboxBytes
    })
    return whenReady<CommitOutcome, number | 'changed' | 'full'>(committed, outcome => {
      if (outcome !== 'done') return this.#notCommitted(outcome, state, options)
      this.#advance(state, { pending, frames, positions })
      this.#reportMoves(moves, notify)
      return frames.length
    })
  }

  async #notCommitted(
    outcome: Exclude<CommitOutcome, 'done'>,
    state: BridgeState,
    { ifFull = 'endSession' }: CommitOptions
  ): Promise<'changed' | 'full'> {
    const { state: known } = this.#owner
    switch (outcome) {
      case 'changed':
        await known.reload()
        return 'changed'
      case 'full':
      case 'busy':
        if (ifFull === 'endSession') return this.#endSlowConsumer()
        // Nothing was committed, so the state is unchanged, unless a later step returned another one.
        if (known.latest === state) known.apply(state)
        return 'full'
      case 'gone':
        throw await known.readEnding()
    }
  }

  /** Applies the state of this commit, unless a later step already returned a newer one. */
  #advance(state: BridgeState, changes: CommittedChanges): void {
    const latest = this.#owner.state.latest ?? state
    if (latest.version <= state.version) this.#owner.state.apply(stateAfter(state, latest, changes))
  }

  #reportMoves(moves: ReturnType<typeof joinsAndLeaves>, reason: WakeReason | undefined): void {
    const { presence } = this.#dependencies
    const { ending, peer } = this.#owner
    if (ending !== undefined) return
    for (const [channel, position] of moves) presence[position === undefined ? 'left' : 'joined'](peer, channel)
    if (reason !== undefined) this.#owner.wakeHeldPoll(reason)
  }

  #endSlowConsumer(): never {
    this.#owner.end('SLOW_CONSUMER')
    throw new SessionEnded('SLOW_CONSUMER')
  }
}
