import type { Capabilities } from '../auth/capabilities.js'
import type { Peer } from '../auth/peer.js'
import { maySubscribe } from '../auth/permissions.js'
import type { SessionKeys } from '../protocol/handshake.js'
import type { Mac } from '../protocol/mac.js'
import { createNodeMac } from '../protocol/mac-node.js'
import type { Log, SessionDependencies } from '../session/dependencies.js'
import { subjectOf } from '../session/presence-changes.js'
import { SessionLog } from '../session/session-log.js'
import type { LiveSession } from '../session/session-source.js'
import type { BridgeState } from '../store/bridge.js'
import { SessionActivity } from './activity.js'
import { type ClaimSealer, createClaimSealer, plainClaims } from './claim-sealer.js'
import { type HeldPoll, HeldPollSlot, type WakeReason } from './held-poll.js'
import { MessageProcessor } from './message-processor.js'
import { Outbox, type OutboxOwner } from './outbox.js'
import type { PendingCommit } from './pending-commit.js'
import type { PolledCalls } from './polled-calls.js'
import { type BridgeEnding, SessionEnded } from './session-ended.js'
import { SessionState } from './session-state.js'

/** A session that this instance opens or loads. */
export interface BridgeSessionParams {
  readonly peer: Peer
  readonly keys: SessionKeys
  /** Unix milliseconds. */
  readonly openedAt: number
  /** Unix milliseconds. */
  readonly expiresAt: number
  /** Unix milliseconds; 0 when this instance has not seen it yet. */
  readonly lastSeenAt: number
  /** Instances of an earlier version may share the session: its stored messages are not sealed. */
  readonly isPlain?: boolean
  /** Set when the session has ended already: it is loaded only to sign the 410. */
  readonly ending?: string
  /** Shared by all sessions of the bridge. */
  readonly calls: PolledCalls
}

/** Called once, when the session ends on this instance. */
export type BridgeSessionListener = (session: BridgeSession, ending: BridgeEnding) => void

/**
 * One session of the bridge on this instance. The store holds its state, since any instance serves any exchange; this
 * object holds its identity, the state as last seen, and the polls and exchanges that are here.
 */
export class BridgeSession implements LiveSession, OutboxOwner {
  readonly log: Log
  readonly verifier: Mac
  readonly signer: Mac
  /** Seals data stored with a claim. */
  readonly claims: ClaimSealer
  readonly openedAt: number
  /** The key that bodies of its requests count for. */
  readonly bodyOwner: string
  readonly state: SessionState
  readonly outbox: Outbox
  readonly activity: SessionActivity
  readonly processor: MessageProcessor
  readonly calls: PolledCalls
  readonly #dependencies: SessionDependencies
  readonly #onEnd: BridgeSessionListener
  readonly #heldPoll = new HeldPollSlot()
  #peer: Peer
  #expiresAt: number
  #ending: string | undefined
  #isLeaving = false

  constructor(dependencies: SessionDependencies, params: BridgeSessionParams, onEnd: BridgeSessionListener) {
    const { peer, keys, openedAt, expiresAt, lastSeenAt, ending, isPlain = false } = params
    const { store, settings, log } = dependencies
    this.#peer = peer
    this.log = new SessionLog(log, peer)
    this.verifier = createNodeMac(keys.clientKey)
    this.signer = createNodeMac(keys.serverKey)
    this.claims = store.kind === 'redis' && !isPlain ? createClaimSealer(peer.sessionId, keys) : plainClaims
    this.openedAt = openedAt
    this.bodyOwner = `client:${peer.clientId}`
    this.state = new SessionState(store.bridge, peer.sessionId, settings.limits.answerBytes)
    this.outbox = new Outbox(dependencies, this)
    this.processor = new MessageProcessor(dependencies, this)
    this.calls = params.calls
    this.activity = new SessionActivity(lastSeenAt)
    this.#dependencies = dependencies
    this.#onEnd = onEnd
    this.#expiresAt = expiresAt
    this.#ending = ending
  }

  get peer(): Peer {
    return this.#peer
  }

  /** Latest end of the session, in unix milliseconds. */
  get expiresAt(): number {
    return this.#expiresAt
  }

  /** Why the session has ended, or undefined while it lives. */
  get ending(): string | undefined {
    return this.#ending
  }

  /** @throws SessionEnded */
  requireLive(): void {
    if (this.#ending !== undefined) throw new SessionEnded(this.#ending)
  }

  expireAt(at: number): void {
    this.#expiresAt = Math.min(this.#expiresAt, at)
  }

  /** Ends the session on every instance. The first ending counts. */
  end(ending: BridgeEnding): void {
    if (this.#ending !== undefined) return
    // To the client a signed 503 means that the session is alive (PROTOCOL §5.3, row 23).
    const sent = ending === 'UNAVAILABLE' ? 'SESSION_EXPIRED' : ending
    this.#ending = sent
    this.#onEnd(this, sent)
    this.#notifyEnd()
  }

  /** Ends the session here: another instance has ended it. */
  markEnded(ending: string): void {
    this.#ending ??= ending
    this.#notifyEnd()
  }

  #notifyEnd(): void {
    for (const channel of this.state.channels) this.#dependencies.presence.left(this.peer, channel)
    this.#heldPoll.wake('ended')
    this.state.notifyWaiting()
  }

  /** The client sent `bye`: the session ends once the answer with its `ack` is composed. */
  leaveWithNextAnswer(): void {
    this.#isLeaving = true
  }

  /** Call it when an answer with the waiting frames was composed. */
  answerComposed(): void {
    if (this.#isLeaving) this.end('bye')
  }

  /**
   * Replaces the capabilities by narrower ones and leaves the channels that they no longer allow. The stored session
   * keeps those of its handshake: each instance narrows them when it loads the session.
   * @throws StoreUnavailable the capabilities are then unchanged
   */
  async narrowCapabilities(capabilities: Capabilities): Promise<void> {
    const before = this.#peer
    const narrowed = { ...before, capabilities }
    this.#peer = narrowed
    try {
      await this.leaveForbiddenChannels()
    } catch (error) {
      // Still narrower ones may have been set meanwhile.
      if (this.#peer === narrowed) this.#peer = before
      throw error
    }
  }

  /**
   * Leaves the channels that the capabilities do not allow, and sends `unsubscribed` for each (PROTOCOL §10). Has no
   * effect when another instance already did.
   * @throws StoreUnavailable
   */
  async leaveForbiddenChannels(): Promise<void> {
    try {
      await this.outbox.commit(state => leaveForbidden(this.#peer, state), {
        delivery: 'wakeHeldPoll',
        withPublications: false
      })
    } catch (error) {
      if (!(error instanceof SessionEnded)) throw error
      this.markEnded(error.ending ?? 'SESSION_NOT_FOUND')
    }
  }

  get isHolding(): boolean {
    return this.#heldPoll.isHolding
  }

  get hasWaitingPoll(): boolean {
    return this.#heldPoll.isWaiting
  }

  /** See `HeldPollSlot`. */
  beginExchange(): void {
    this.#heldPoll.beginExchange()
  }

  /** Holds a poll; the older of two is superseded. */
  holdPoll(poll: number): HeldPoll {
    return this.#heldPoll.hold(poll)
  }

  releasePoll(poll: HeldPoll): void {
    this.#heldPoll.release(poll)
  }

  wakeHeldPoll(reason: WakeReason): void {
    this.#heldPoll.wake(reason)
  }
}

function leaveForbidden(peer: Peer, { positions }: BridgeState): PendingCommit | undefined {
  // The changes of presence of a channel end with the subscription.
  const left = [...positions.keys()].filter(channel => !maySubscribe(peer, subjectOf(channel) ?? channel))
  const forbidden = left.filter(channel => subjectOf(channel) === undefined)
  if (left.length === 0) return undefined
  return {
    answered: [],
    outgoing: forbidden.map(channel => ({ type: 'unsubscribed', channel, code: 'PERMISSION_DENIED' })),
    positions: new Map(left.map(channel => [channel, undefined]))
  }
}
