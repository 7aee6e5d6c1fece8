import type { Peer } from '../auth/peer.js'
import { signMessage, signText } from '../protocol/frame.js'
import { type FrameText, withSeq } from '../protocol/frame-text.js'
import { outboxBytes, outboxFrames } from '../protocol/limits.js'
import type { Mac } from '../protocol/mac.js'
import type { SessionDependencies } from '../session/dependencies.js'
import type { Outgoing } from '../session/outbox.js'
import type { AwaitedCall, BridgeState } from '../store/bridge.js'
import { StoreUnavailable } from '../store/store.js'
import type { Delivery } from './delivery.js'
import type { WakeReason } from './held-poll.js'
import { emptyCommit, type PendingCommit, type PendingCommitBuilder } from './pending-commit.js'
import { applyChanges, joinsAndLeaves, type PositionChanges } from './positions.js'
import { PresencePacer } from './presence-pacer.js'
import { cutOff, HistoryGap, type PendingFrames, type PublicationText, readPending } from './read-pending.js'
import { type BridgeEnding, SessionEnded } from './session-ended.js'
import type { SessionState } from './session-state.js'
import { maxCommitAttempts } from './settings.js'

type Unsigned = Outgoing | FrameText | PublicationText

/** What the outbox needs of its session. */
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
  /** Whether the commit also brings the publications after the session's positions. */
  readonly withPublications: boolean
  /** What happens when the frames exceed the outbox: the session ends (PROTOCOL §11), or nothing is committed. Default: it ends. */
  readonly ifFull?: 'endSession' | 'refuse'
  /** Whether a held poll must not wait for more frames. Default false. */
  readonly urgent?: boolean
}

/** Why nothing was committed. `lost`: this instance no longer owns the claims. `full`: the outbox has no capacity, or too many calls are open. */
export type NotCommitted = 'lost' | 'full'

const noAwaited: ReadonlyMap<number, AwaitedCall | undefined> = new Map()

/** Whether a commit without frames would be empty. */
function changesNothing({ answered, challenge, awaited, answeredCalls = [] }: PendingCommit): boolean {
  return answered.length === 0 && challenge === undefined && awaited === undefined && answeredCalls.length === 0
}

/** Whether a commit registers calls whose outcomes have a deadline. */
function makesCalls({ awaited = noAwaited }: PendingCommit): boolean {
  return [...awaited.values()].some(call => call !== undefined && call.deadline > 0)
}

/** Commits frames to the stored outbox of one session, one commit at a time. */
export class Outbox {
  readonly #dependencies: SessionDependencies
  readonly #owner: OutboxOwner
  #lastCommit: Promise<unknown> = Promise.resolve()
  #isCut = false
  /** Of the changes of presence that the session wants. */
  readonly pacer: PresencePacer

  constructor(dependencies: SessionDependencies, owner: OutboxOwner) {
    this.#dependencies = dependencies
    this.pacer = new PresencePacer(dependencies.steadyNow)
    this.#owner = owner
  }

  /** Whether publications may be pending. When false, none are, as far as this instance receives them. */
  get mayHavePublications(): boolean {
    const { latest, isUncertain } = this.#owner.state
    if (isUncertain || latest === undefined) return true
    for (const [channel, position] of latest.positions) {
      if (this.pacer.waitMs(channel) === 0 && !this.#dependencies.channels.isTop(channel, position)) return true
    }
    return false
  }

  /** Whether the last commit left publications behind that did not fit. */
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
  commit(pending: PendingCommit | PendingCommitBuilder, options: CommitOptions): Promise<number | NotCommitted> {
    const result = this.#lastCommit.then(() => this.#commit(pending, options))
    this.#lastCommit = result.catch(() => {})
    return result
  }

  /** Commits pending publications for an answer. @returns the number of committed frames */
  async deliver(): Promise<number> {
    const count = await this.commit(emptyCommit, { delivery: 'inAnswer', withPublications: true })
    return typeof count === 'number' ? count : 0
  }

  async #commit(wanted: PendingCommit | PendingCommitBuilder, options: CommitOptions): Promise<number | NotCommitted> {
    const { withPublications } = options
    const owner = this.#owner
    for (let i = 0; i < maxCommitAttempts; i++) {
      if (owner.ending !== undefined) throw new SessionEnded(owner.ending)
      const { latest, isUncertain } = owner.state
      const known = isUncertain ? undefined : latest
      const state = known ?? (await owner.state.reload())
      const pending = typeof wanted === 'function' ? wanted(state) : wanted
      if (pending === undefined && known === undefined) return 0
      if (pending === undefined) {
        // Another instance may have changed the session since this one has seen it.
        owner.state.markUncertain()
        continue
      }
      if (pending.answered.some(seq => !this.#ownsClaim(state, seq))) return 'lost'
      const publications = withPublications ? await this.#readPending(state, pending) : cutOff
      if (withPublications) this.#isCut = publications.isCut
      const isEmpty = publications.outgoing.length === 0
      const outgoing = isEmpty ? pending.outgoing : [...pending.outgoing, ...publications.outgoing]
      const isUnmoved = publications.positions.size === 0
      if (outgoing.length === 0 && isUnmoved && changesNothing(pending)) return 0
      const outcome = await this.#tryCommit(state, pending, publications, outgoing, options)
      if (outcome !== 'changed') return outcome === 'full' ? outcome : outgoing.length
    }
    throw new StoreUnavailable(new Error(`another instance committed first ${maxCommitAttempts} times`))
  }

  #ownsClaim({ claims }: BridgeState, seq: number): boolean {
    return claims.some(claim => claim.seq === seq && claim.owner === this.#dependencies.settings.instanceId)
  }

  /** What does not fit beside the waiting frames stays in its channel until there is space. */
  async #readPending(state: BridgeState, { positions, outgoing }: PendingCommit): Promise<PendingFrames> {
    const { channels, settings, presence } = this.#dependencies
    const waitingBytes = state.frames.reduce((sum, frame) => sum + frame.length, 0)
    const freeBytes = settings.limits.answerBytes - waitingBytes
    if (freeBytes <= 0 || (outgoing.length > 0 && outgoing.length + state.frames.length >= outboxFrames)) return cutOff
    try {
      const reader = { sessionId: this.#owner.peer.sessionId, pacer: this.pacer, presence }
      return await readPending(channels, applyChanges(state.positions, positions), freeBytes, reader)
    } catch (error) {
      if (!(error instanceof HistoryGap)) throw error
      return this.#endSlowConsumer()
    }
  }

  async #tryCommit(
    state: BridgeState,
    pending: PendingCommit,
    publications: PendingFrames,
    outgoing: readonly Unsigned[],
    { delivery, ifFull = 'endSession', urgent = false }: CommitOptions
  ): Promise<'done' | 'changed' | 'full'> {
    const { store, settings } = this.#dependencies
    const { peer, state: known } = this.#owner
    const frames = outgoing.map((message, i) => this.#sign(message, state.sent + 1 + i))
    const isUnmoved = publications.positions.size === 0
    const positions = isUnmoved ? pending.positions : new Map([...pending.positions, ...publications.positions])
    const moves = joinsAndLeaves(state.positions, positions)
    const wakes = frames.length > 0 && delivery === 'wakeHeldPoll'
    // A held poll waits until the first outcome that it knows of is due.
    const isNews = moves.length > 0 || makesCalls(pending)
    const notify = wakes ? (urgent ? 'call' : 'frames') : isNews ? 'channels' : undefined
    known.markUncertain()
    const outcome = await store.bridge.commit({
      sessionId: peer.sessionId,
      instanceId: settings.instanceId,
      version: state.version,
      answered: pending.answered,
      frames,
      positions,
      maxFrames: outboxFrames,
      maxBytes: outboxBytes,
      ...(pending.challenge === undefined ? {} : { challenge: pending.challenge }),
      ...(pending.awaited === undefined ? {} : { awaited: pending.awaited }),
      ...(pending.receives === undefined ? {} : { receives: pending.receives }),
      ...(pending.answeredCalls === undefined ? {} : { answeredCalls: pending.answeredCalls }),
      ...(notify === undefined ? {} : { notify })
    })
    switch (outcome) {
      case 'done':
        this.#advance(state, pending, frames, positions)
        this.#reportMoves(moves, notify)
        return 'done'
      case 'changed':
        await known.reload()
        return 'changed'
      case 'full':
      case 'busy':
        if (ifFull === 'endSession') return this.#endSlowConsumer()
        // Nothing was committed, so the state is what it was, unless a later step showed another one.
        if (known.latest === state) known.apply(state)
        return 'full'
      case 'gone':
        throw await known.readEnding()
    }
  }

  #sign(message: Unsigned, seq: number): string {
    const { signer } = this.#owner
    if (typeof message === 'string') return signText(signer, `{"type":"publication","seq":${seq},${message}`)
    if ('members' in message) return signText(signer, withSeq(message, seq))
    return signMessage(signer, Object.assign({ type: message.type, seq }, message))
  }

  /** Applies the state that this commit made, unless a later step already showed a newer one. */
  #advance(state: BridgeState, pending: PendingCommit, frames: readonly string[], changes: PositionChanges): void {
    const known = this.#owner.state
    const { latest } = known
    if (latest !== undefined && latest.version > state.version) return
    const base = latest ?? state
    const isComplete = base.frames.length === base.sent - base.ack
    known.apply({
      version: state.version + 1,
      received: base.received,
      ack: base.ack,
      sent: state.sent + frames.length,
      frames: isComplete ? [...base.frames, ...frames] : base.frames,
      positions: applyChanges(state.positions, changes),
      claims: base.claims.filter(({ seq }) => !pending.answered.includes(seq)),
      challenge: pending.challenge ?? base.challenge,
      awaited: applyChanges(base.awaited, pending.awaited ?? noAwaited)
    })
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
