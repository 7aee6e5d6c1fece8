import type { Capabilities } from '../auth/capabilities.js'
import { type Authenticated, welcomeMessage } from '../auth/handshake.js'
import type { Peer } from '../auth/peer.js'
import { closeNormal, codes, type EndingCode } from '../protocol/codes.js'
import type { FrameText } from '../protocol/frame-text.js'
import { createNodeMac } from '../protocol/mac-node.js'
import type { Upstream } from '../protocol/messages.js'
import { StoreUnavailable } from '../store/store.js'
import type { Log, SessionDependencies } from './dependencies.js'
import { frameErrorOf } from './frame-error.js'
import { FrameIntake } from './frame-intake.js'
import { FrameReader } from './frame-reader.js'
import type { Answer, FollowUp, Reply } from './handlers/handler.js'
import { dispatch } from './handlers/table.js'
import { type ContextOwner, LiveContext } from './live-context.js'
import {
  LiveSubscriptions,
  type Subscription,
  type SubscriptionSink,
  type UnsubscribedCode
} from './live-subscriptions.js'
import { Outbox, type Outgoing } from './outbox.js'
import type { PresenceChanged } from './presence-changes.js'
import { SessionChallenges } from './session-challenges.js'
import { SessionLog } from './session-log.js'
import type { LiveSession, TickTimes } from './session-source.js'
import type { Transport } from './transport.js'

const noChannels: readonly Subscription[] = []

/** Why a session ended: a code sent to the client, the client's own `bye`, or a closed connection. */
export type Ending = EndingCode | 'bye' | 'lost'

/**
 * One session on a transport that keeps order. It verifies, counts, rate-limits and answers one frame after another,
 * and signs its own frames. It ends once, and sends the reason before the transport closes.
 */
export class Session implements LiveSession, ContextOwner, SubscriptionSink {
  readonly log: Log
  readonly openedAt: number
  readonly #dependencies: SessionDependencies
  readonly context: LiveContext
  readonly #transport: Transport
  readonly #outbox: Outbox
  readonly #challenges: SessionChallenges
  readonly intake: FrameIntake
  readonly #onEnd: (session: Session, ending: Ending) => void
  #expiresAt: number
  #ended = false
  #welcomed = false
  #leaving = false
  #ownChannels: readonly Subscription[] = noChannels

  constructor(
    dependencies: SessionDependencies,
    transport: Transport,
    authenticated: Authenticated,
    onEnd: (session: Session, ending: Ending) => void
  ) {
    const { peer, keys, expiresAt } = authenticated
    const { now, steadyNow, settings } = dependencies
    this.#expiresAt = expiresAt
    this.openedAt = now()
    this.log = new SessionLog(dependencies.log, peer)
    this.#dependencies = dependencies
    this.#transport = transport
    const reader = new FrameReader(createNodeMac(keys.clientKey), settings.limits.depth)
    this.intake = new FrameIntake(dependencies, reader, steadyNow())
    this.#outbox = new Outbox(transport, createNodeMac(keys.serverKey), dependencies.outboxes)
    this.#challenges = new SessionChallenges(dependencies, this)
    this.#onEnd = onEnd
    this.context = new LiveContext(dependencies, new LiveSubscriptions(dependencies, peer, this), this, peer)
  }

  get peer(): Peer {
    return this.context.peer
  }

  /** When the last frame was verified, Unix milliseconds of the steady clock. */
  get lastSeenAt(): number {
    return this.intake.lastSeenAt
  }

  get expiresAt(): number {
    return this.#expiresAt
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Joined channels, the session's own two included. */
  get channels(): Iterable<string> {
    return this.context.subscriptions.channels
  }

  expireAt(at: number): void {
    this.#expiresAt = at
  }

  narrowCapabilities(capabilities: Capabilities): void {
    this.context.narrowCapabilities(capabilities)
  }

  answerChallenge(challengeToken: string, challengeSignature: string): boolean {
    return this.#challenges.answer(challengeToken, challengeSignature)
  }

  publication(members: string): void {
    this.send({ type: 'publication', members })
  }

  presenceChanged(message: PresenceChanged): void {
    this.send(message)
  }

  unsubscribed(channel: string, code: UnsubscribedCode): void {
    this.send({ type: 'unsubscribed', channel, code })
  }

  /** Signs and sends. A client that reads too slowly loses its session (PROTOCOL §11, SLOW_CONSUMER). */
  send(message: Outgoing | FrameText): void {
    if (this.#ended) return
    if (this.#outbox.send(message)) this.end('SLOW_CONSUMER')
  }

  mayQueue(bytes: number): boolean {
    return this.#outbox.mayQueue(bytes)
  }

  /** Joins the session's own channels. Await it before {@link welcome}. @throws StoreUnavailable */
  async joinOwnChannels(): Promise<void> {
    this.#ownChannels = await this.context.subscriptions.joinOwn()
  }

  /** Sends the first frame. Until then the client does not know the session, and no other frame is sent. */
  welcome(): void {
    this.#welcomed = true
    const { heartbeatIntervalSeconds, heartbeatTimeoutSeconds } = this.#dependencies.settings
    this.send(
      welcomeMessage(this.#dependencies, this.peer, {
        ...{ expiresAt: this.#expiresAt, heartbeatIntervalSeconds, heartbeatTimeoutSeconds },
        subscriptions: [...this.#ownChannels]
      })
    )
    for (const { channel } of this.#ownChannels) this.context.subscriptions.release(channel)
    this.#ownChannels = noChannels
  }

  /** Whether the client has its welcome, and the session has not ended. */
  get welcomed(): boolean {
    return this.#welcomed && !this.#ended
  }

  /** Sends the reason, signed, then closes (PROTOCOL §5). The first ending counts. */
  end(code: EndingCode, message: string = codes[code].message): void {
    if (this.#ended) return
    this.#sendAndClose({ type: 'error', code, message }, code)
  }

  /** The connection closed. A client that already sent `bye` counts as a clean close. */
  connectionLost(): void {
    this.#finish(this.#leaving ? 'bye' : 'lost')
  }

  /**
   * Handles the next frame. The caller passes one frame at a time, and waits for each promise.
   * @param receivedAt  Unix milliseconds of the steady clock; undefined if it did not wait for frames before it
   * @returns undefined when the reply has already been sent
   */
  receive(frame: Uint8Array, receivedAt?: number): undefined | Promise<void> {
    if (this.#ended) return undefined
    try {
      const now = this.#dependencies.steadyNow()
      const accepted = this.intake.accept(this.peer, frame, now, receivedAt ?? now)
      if ('refusal' in accepted) {
        this.send(accepted.refusal)
        return undefined
      }
      const { message, seq } = accepted
      this.#leaving = message.type === 'bye'
      const reply = dispatch(this.context, message)
      if (!(reply instanceof Promise)) {
        this.#answer(message, seq, reply)
        return undefined
      }
      return reply.then(
        settled => this.#answer(message, seq, settled),
        (error: unknown) => {
          if (error instanceof StoreUnavailable) this.intake.storeFailed(now, this.#dependencies.steadyNow())
          this.#refuse(error, seq)
        }
      )
    } catch (error) {
      this.#refuse(error)
      return undefined
    }
  }

  #answer(message: Upstream, seq: number, answer: Answer): void {
    if (answer === 'later' || this.#ended) return
    const [reply, ...followUps]: readonly [Reply, ...FollowUp[]] = 'type' in answer ? [answer] : answer
    if (this.#outbox.reply(seq, reply)) this.end('SLOW_CONSUMER')
    for (const publication of followUps) this.send(publication)
    if (reply.type === 'subscribed') this.context.subscriptions.release(reply.channel)
    if (message.type === 'bye' && !this.ended) {
      this.#transport.close(closeNormal, 'bye')
      this.#finish('bye')
    }
  }

  /** Sends the error for a frame that failed. Some errors end the session. @param frameSeq  if it was read */
  #refuse(error: unknown, frameSeq?: number): void {
    if (this.#ended) return
    const refusal = frameErrorOf(error, frameSeq, this.log, this.#dependencies.boundedLog)
    const { ends: _ends, seq, ...members } = refusal
    this.intake.refused(refusal.code)
    const re = seq === undefined ? {} : { re: seq }
    if (refusal.ends) this.#sendAndClose({ type: 'error', ...re, ...members }, refusal.code)
    else this.send({ type: 'error', re: this.intake.lastSeq, ...re, ...members })
  }

  #sendAndClose(message: Outgoing, code: EndingCode): void {
    this.#outbox.send(message)
    this.#transport.close(codes[code].close, code)
    this.#finish(code)
  }

  #finish(ending: Ending): void {
    if (this.#ended) return
    this.#ended = true
    this.context.close()
    this.#outbox.release()
    this.#dependencies.observer.ended(this.#transport.name, ending)
    this.log.info({ ending }, 'session ended')
    this.#onEnd(this, ending)
  }

  /** Ends an expired or silent session, and sends the next fresh challenge. Called about once a second. */
  tick(times: TickTimes): void {
    const { now, steadyNow, isGracePeriod } = times
    this.#outbox.refresh()
    this.context.tick()
    const deadline = this.lastSeenAt + this.#dependencies.settings.heartbeatTimeoutSeconds * 1000
    if (now >= this.#expiresAt) this.end('SESSION_EXPIRED')
    else if (steadyNow >= deadline && !isGracePeriod) this.end('HEARTBEAT_LOST')
    else this.#challenges.tick(times)
  }
}
