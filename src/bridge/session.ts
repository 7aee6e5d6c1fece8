import type { Peer } from '../auth/peer.js'
import { signMessage, signText } from '../protocol/frame.js'
import { outboxBytes, outboxFrames } from '../protocol/limits.js'
import type { Mac } from '../protocol/mac.js'
import { createNodeMac } from '../protocol/mac-node.js'
import type { Log, SessionDependencies } from '../session/dependencies.js'
import type { Outgoing } from '../session/session.js'
import type { LiveSession } from '../session/session-source.js'
import type { BridgeState } from '../store/bridge.js'
import type { Position } from '../store/channels.js'
import { StoreUnavailable } from '../store/store.js'
import { type BridgeEnding, SessionEnded } from './ending.js'
import type { BridgeSessionParams } from './facts.js'
import { HeldPoll, type WakeReason } from './held-poll.js'
import type { PendingCommit } from './pending-commit.js'
import { moved, movesBetween } from './positions.js'
import { HistoryGap, type PendingFrames, type PublicationText, readPending } from './read-pending.js'
import { maxCommitTries } from './settings.js'

const nothing: PendingCommit = { answered: [], outgoing: [], positions: new Map() }
const noRoom: PendingFrames = { outgoing: [], positions: new Map(), isCut: true }

/**
 * One session of the bridge as this instance knows it. What counts lies in the store; here is what is fixed (who, which
 * keys), the state that the last step showed, and who waits here.
 */
export class BridgeSession implements LiveSession {
  readonly peer: Peer
  readonly log: Log
  readonly verifier: Mac
  readonly signer: Mac
  readonly openedAt: number
  expiresAt: number
  lastSeenAt: number
  inFlight = 0
  /** Exchanges that have brought something new and have no answer yet. */
  serving = 0
  /** Set once it is known to be over. */
  ending: string | undefined
  /** The newest poll that would wait. */
  held: HeldPoll | undefined
  /** Its `bye` was acknowledged: it ends with the answer that carries the ack. */
  saidBye = false
  /** Publications lie after its positions that did not fit beside what waits. */
  hasMore = false
  readonly #dependencies: SessionDependencies
  readonly #onEnd: (session: BridgeSession, ending: BridgeEnding) => void
  #state: BridgeState | undefined
  /** A commit is out, or its answer never came: what it did is not known. */
  #unsure = false
  #lock: Promise<unknown> = Promise.resolve()
  #watchers = new Set<() => void>()

  constructor(
    dependencies: SessionDependencies,
    { peer, keys, openedAt, expiresAt, lastSeenAt }: BridgeSessionParams,
    onEnd: (session: BridgeSession, ending: BridgeEnding) => void
  ) {
    this.peer = peer
    this.verifier = createNodeMac(keys.clientKey)
    this.signer = createNodeMac(keys.serverKey)
    this.openedAt = openedAt
    this.expiresAt = expiresAt
    this.lastSeenAt = lastSeenAt
    this.log = dependencies.log.child({ sessionId: peer.sessionId, clientId: peer.clientId })
    this.#dependencies = dependencies
    this.#onEnd = onEnd
  }

  /** The state that the last step showed. @throws SessionOver where none was seen */
  get state(): BridgeState {
    if (this.#state === undefined) throw new SessionEnded(this.ending)
    return this.#state
  }

  /** Channels that it has joined, as far as was seen here. */
  get channels(): Iterable<string> {
    return this.#state?.positions.keys() ?? []
  }

  /** Takes what a step of the store has shown. Steps of one instance are answered in their order. */
  adopt(state: BridgeState): void {
    this.#state = state
    this.#unsure = false
    this.#tellWatchers()
  }

  /** Looks anew. @throws SessionOver, StoreUnavailable */
  async reload(): Promise<BridgeState> {
    const { store, settings } = this.#dependencies
    const state = await store.bridge.read(this.peer.sessionId, settings.limits.answerBytes)
    if (state === undefined) throw new SessionEnded((await store.bridge.info(this.peer.sessionId))?.ended)
    this.adopt(state)
    return state
  }

  /** Resolves at the next change of the state, or after `ms`. */
  changed(ms: number): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        clearTimeout(timer)
        this.#watchers.delete(done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.#watchers.add(done)
    })
  }

  #tellWatchers(): void {
    for (const watcher of this.#watchers) watcher()
  }

  /** Takes the place of the poll that is held, unless that is the newer one (PROTOCOL §9.4 f). */
  hold(poll: number): HeldPoll {
    const hold = new HeldPoll(poll)
    if (this.held !== undefined && this.held.poll > poll) hold.wake('superseded')
    else {
      this.wake('superseded')
      this.held = hold
    }
    return hold
  }

  letGo(hold: HeldPoll): void {
    hold.release()
    if (this.held === hold) this.held = undefined
  }

  wake(waking: WakeReason): void {
    this.held?.wake(waking)
  }

  /** Whoever waits for claims looks again. */
  lookAgain(): void {
    this.#tellWatchers()
  }

  expireAt(at: number): void {
    this.expiresAt = at
  }

  narrowCapabilities(): void {
    this.end('SESSION_EXPIRED')
  }

  /** Ends the session on every instance. The first ending counts. */
  end(ending: BridgeEnding): void {
    if (this.ending !== undefined) return
    this.ending = ending
    this.#onEnd(this, ending)
    this.#tellEnd()
  }

  /** It is over, as another instance has said. */
  over(ending: string): void {
    this.ending ??= ending
    this.#tellEnd()
  }

  #tellEnd(): void {
    for (const channel of this.channels) this.#dependencies.presence.left(this.peer, channel)
    this.wake('ended')
    this.#tellWatchers()
  }

  /**
   * Commits answers, and what lies after the session's positions where `collects`: one commit at a time, made anew for
   * as long as another instance's comes first.
   * @param carries  the exchange that waits will carry the frames: a held poll is not woken (PROTOCOL §9.4 g)
   * @returns frames that were committed; `lost` where the claims are not ours any more, and nothing was
   * @throws SessionOver, StoreUnavailable (whether it happened is then unknown)
   */
  commit(draft: PendingCommit, collects: boolean, carries: () => boolean): Promise<number | 'lost'> {
    const result = this.#lock.then(() => this.#commit(draft, collects, carries))
    this.#lock = result.catch(() => {})
    return result
  }

  /** Whether something may lie after the session's positions. Sure of a no, without asking anybody. */
  get mayHaveNews(): boolean {
    if (this.#unsure || this.#state === undefined) return true
    for (const [channel, position] of this.#state.positions) {
      if (!this.#dependencies.channels.isTop(channel, position)) return true
    }
    return false
  }

  /** Commits what lies after the session's positions. @returns frames that were committed */
  async deliver(): Promise<number> {
    const count = await this.commit(nothing, true, () => true)
    return count === 'lost' ? 0 : count
  }

  async #commit(draft: PendingCommit, collects: boolean, carries: () => boolean): Promise<number | 'lost'> {
    for (let i = 0; i < maxCommitTries; i++) {
      if (this.ending !== undefined) throw new SessionEnded(this.ending)
      const state = this.#unsure || this.#state === undefined ? await this.reload() : this.#state
      if (draft.answered.some(seq => !this.#owns(state, seq))) return 'lost'
      if (draft.isVain?.(state) === true) return 0
      const collected = collects ? await this.#collect(state, draft) : noRoom
      if (collects) this.hasMore = collected.isCut
      const outgoing = collected.outgoing.length === 0 ? draft.outgoing : [...draft.outgoing, ...collected.outgoing]
      if (outgoing.length === 0 && draft.answered.length === 0 && draft.challenge === undefined) return 0
      const done = await this.#tryCommit(state, draft, collected, outgoing, carries())
      if (done) return outgoing.length
    }
    throw new StoreUnavailable(new Error('the session is too busy'))
  }

  #owns({ claims }: BridgeState, seq: number): boolean {
    return claims.some(claim => claim.seq === seq && claim.owner === this.#dependencies.settings.instanceId)
  }

  async #collect(state: BridgeState, { positions, outgoing }: PendingCommit): Promise<PendingFrames> {
    const { channels, settings } = this.#dependencies
    const from = moved(state.positions, positions)
    const waiting = state.frames.reduce((sum, frame) => sum + frame.length, 0)
    // What would not fit beside that which waits already stays where it is, until there is room.
    const room = settings.limits.answerBytes - waiting
    if (room <= 0 || (outgoing.length > 0 && outgoing.length + state.frames.length >= outboxFrames)) return noRoom
    try {
      return await readPending(channels, from, room)
    } catch (error) {
      if (!(error instanceof HistoryGap)) throw error
      this.end('SLOW_CONSUMER')
      throw new SessionEnded('SLOW_CONSUMER')
    }
  }

  async #tryCommit(
    state: BridgeState,
    draft: PendingCommit,
    collected: PendingFrames,
    outgoing: readonly (Outgoing | PublicationText)[],
    carries: boolean
  ): Promise<boolean> {
    const { store, settings, presence } = this.#dependencies
    const frames = outgoing.map((message, i) => this.#sign(message, state.sent + 1 + i))
    const positions =
      collected.positions.size === 0 ? draft.positions : new Map([...draft.positions, ...collected.positions])
    const moves = movesBetween(state.positions, positions)
    const word = !carries && frames.length > 0 ? 'frames' : moves.length > 0 ? 'channels' : undefined
    this.#unsure = true
    const outcome = await store.bridge.commit({
      sessionId: this.peer.sessionId,
      instanceId: settings.instanceId,
      version: state.version,
      answered: draft.answered,
      frames,
      positions,
      maxFrames: outboxFrames,
      maxBytes: outboxBytes,
      ...(draft.challenge === undefined ? {} : { challenge: draft.challenge }),
      ...(word === undefined ? {} : { notify: word })
    })
    switch (outcome) {
      case 'done':
        this.#advance(state, draft, frames, positions)
        if (this.ending !== undefined) return true
        for (const [channel, at] of moves) presence[at === undefined ? 'left' : 'joined'](this.peer, channel)
        if (word !== undefined) this.wake(word)
        return true
      case 'changed':
        await this.reload()
        return false
      case 'full':
        this.end('SLOW_CONSUMER')
        throw new SessionEnded('SLOW_CONSUMER')
      case 'gone':
        throw new SessionEnded((await store.bridge.info(this.peer.sessionId))?.ended)
    }
  }

  #sign(message: Outgoing | PublicationText, seq: number): string {
    if (typeof message === 'string') return signText(this.signer, `{"type":"publication","seq":${seq},${message}`)
    return signMessage(this.signer, Object.assign({ type: message.type, seq }, message))
  }

  /** The state that our own commit has made, unless a later step has shown one meanwhile. */
  #advance(
    state: BridgeState,
    draft: PendingCommit,
    frames: readonly string[],
    changes: ReadonlyMap<string, Position | undefined>
  ): void {
    const shown = this.#state
    if (shown !== undefined && shown.version > state.version) return
    const base = shown ?? state
    const isWhole = base.frames.length === base.sent - base.ack
    this.adopt({
      version: state.version + 1,
      received: base.received,
      ack: base.ack,
      sent: state.sent + frames.length,
      frames: isWhole ? [...base.frames, ...frames] : base.frames,
      positions: moved(state.positions, changes),
      claims: base.claims.filter(({ seq }) => !draft.answered.includes(seq)),
      challenge: draft.challenge ?? base.challenge
    })
  }
}
