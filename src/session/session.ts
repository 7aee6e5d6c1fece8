import { FreshChallenges } from '../auth/fresh-challenge.js'
import { type Authenticated, welcomeMessage } from '../auth/handshake.js'
import { type CodeName, closeNormal, codes, type EndingCode } from '../protocol/codes.js'
import { signMessage, signText, verifyFrame } from '../protocol/frame.js'
import { signChallenge } from '../protocol/handshake.js'
import { challengeSeconds, outboxBytes, outboxFrames } from '../protocol/limits.js'
import type { Mac } from '../protocol/mac.js'
import { createNodeMac } from '../protocol/mac-node.js'
import { type Downstream, decodeUpstream, type Upstream } from '../protocol/messages.js'
import { ProtocolError } from '../protocol/protocol-error.js'
import type { Log, SessionDependencies } from './dependencies.js'
import { frameErrorOf } from './frame-error.js'
import type { Answer, FollowUp, HandlerContext, Reply } from './handlers/handler.js'
import { dispatch } from './handlers/table.js'
import { LiveSubscriptions, type Subscription } from './live-subscriptions.js'
import type { Peer } from './peer.js'
import { TokenBucket } from './token-bucket.js'
import type { Transport } from './transport.js'

type WithoutSeq<Message> = Message extends unknown ? Omit<Message, 'seq'> : never
/** Anything downstream, before it has its seq and signature. */
export type Outgoing = WithoutSeq<Downstream>

/** Why a session is over: a code that the peer was told, its own `bye`, or a connection that went away. */
export type Ending = EndingCode | 'bye' | 'lost'

/**
 * One session on a transport that keeps order: verifies, counts, gates and answers one frame after another, and signs
 * whatever goes down. It ends once, and the peer is told why before the transport closes.
 */
export class Session {
  readonly peer: Peer
  readonly log: Log
  readonly #dependencies: SessionDependencies
  readonly #transport: Transport
  readonly #verifier: Mac
  readonly #signer: Mac
  readonly #context: HandlerContext
  readonly #fresh: FreshChallenges
  readonly #bucket: TokenBucket
  readonly #subscriptions: LiveSubscriptions
  readonly #onEnd: (session: Session, ending: Ending) => void
  readonly openedAt: number
  expiresAt: number
  lastSeenAt: number
  #received = 1 // the authenticate was 1 (PROTOCOL §4)
  #sent = 0
  #ended = false
  #welcomed = false
  #leaving = false
  #ownChannels: Subscription[] = []

  constructor(
    dependencies: SessionDependencies,
    transport: Transport,
    authenticated: Authenticated,
    onEnd: (session: Session, ending: Ending) => void
  ) {
    const { peer, keys, expiresAt } = authenticated
    const { now, settings } = dependencies
    this.peer = peer
    this.expiresAt = expiresAt
    this.openedAt = now()
    this.lastSeenAt = this.openedAt
    this.log = dependencies.log.child({ sessionId: peer.sessionId, clientId: peer.clientId })
    this.#dependencies = dependencies
    this.#transport = transport
    this.#verifier = createNodeMac(keys.clientKey)
    this.#signer = createNodeMac(keys.serverKey)
    this.#fresh = new FreshChallenges(settings.freshChallengeMs, this.openedAt)
    this.#bucket = new TokenBucket(settings.framesPerSecond, this.openedAt)
    this.#onEnd = onEnd
    this.#subscriptions = new LiveSubscriptions(dependencies.channels, dependencies.presence, peer, {
      publication: members => this.#sendPublication(members),
      unsubscribed: channel => this.send({ type: 'unsubscribed', channel, code: 'INSUFFICIENT_STATE' })
    })
    this.#context = {
      ...{ dependencies, peer, expiresAt, licenseSlots: new Set(), freshChallenge: this.#fresh },
      ...{ subscriptions: this.#subscriptions, mayRunAgain: false },
      hasEnded: () => this.#ended
    }
  }

  get ended(): boolean {
    return this.#ended
  }

  get transportName(): string {
    return this.#transport.name
  }

  /** Channels that it has joined. */
  get channels(): Iterable<string> {
    return this.#subscriptions.channels
  }

  /** Licenses on which this session sits. */
  get seats(): ReadonlySet<string> {
    return this.#context.licenseSlots
  }

  /** Signs and sends. A peer that does not read fast enough is let go rather than held in memory (PROTOCOL §11). */
  send(message: Outgoing): void {
    if (this.#ended) return
    this.#write(message)
    this.#requireReader()
  }

  /** @param members  the part of a publication that is the same for all sessions */
  #sendPublication(members: string): void {
    if (this.#ended) return
    this.#transport.send(signText(this.#signer, `{"type":"publication","seq":${++this.#sent},${members}`))
    this.#requireReader()
  }

  #requireReader(): void {
    const { bufferedBytes, bufferedFrames } = this.#transport
    if (bufferedBytes > outboxBytes || bufferedFrames > outboxFrames) this.end('SLOW_CONSUMER')
  }

  #write(message: Outgoing): void {
    this.#transport.send(signMessage(this.#signer, Object.assign({ type: message.type, seq: ++this.#sent }, message)))
  }

  /** Joins the session's own channels; to be awaited before {@link welcome}. @throws StoreUnavailable */
  async joinOwnChannels(): Promise<void> {
    this.#ownChannels = await this.#subscriptions.joinOwn()
  }

  /** The first frame. What else goes down waits for it: before it the client knows no session. */
  welcome(): void {
    this.#welcomed = true
    const { heartbeatIntervalSeconds, heartbeatTimeoutSeconds } = this.#dependencies.settings
    const { expiresAt } = this
    this.send(
      welcomeMessage(this.#dependencies, this.peer, {
        ...{ expiresAt, heartbeatIntervalSeconds, heartbeatTimeoutSeconds, subscriptions: this.#ownChannels }
      })
    )
    for (const { channel } of this.#ownChannels) this.#subscriptions.release(channel)
  }

  /** Whether the client has been told of its session. */
  get welcomed(): boolean {
    return this.#welcomed && !this.#ended
  }

  /** Tells the peer why, signed, then closes (PROTOCOL §5). The first ending counts. */
  end(code: EndingCode, message: string = codes[code].message): void {
    if (this.#ended) return
    this.#sayAndClose({ type: 'error', code, message }, code)
  }

  /** The transport is gone. Who had said `bye` did not wait for its answer. */
  lost(): void {
    this.#finish(this.#leaving ? 'bye' : 'lost')
  }

  /**
   * Takes the next frame. The caller brings frames one after another, waiting for each promise.
   * @returns nothing where the answer is already on its way
   */
  receive(frame: Uint8Array): undefined | Promise<void> {
    if (this.#ended) return undefined
    try {
      const { message, seq } = this.#accept(frame)
      if (message === undefined) return undefined
      this.#leaving = message.type === 'bye'
      const reply = dispatch(this.#context, message)
      if (!(reply instanceof Promise)) {
        this.#answer(message, seq, reply)
        return undefined
      }
      return reply.then(
        settled => this.#answer(message, seq, settled),
        (error: unknown) => this.#refuse(error, seq)
      )
    } catch (error) {
      this.#refuse(error)
      return undefined
    }
  }

  /** PROTOCOL §2, §5: the signature, then the text, then the seq; only then what the frame says. */
  #accept(frame: Uint8Array): { message?: Upstream; seq: number } {
    const { settings, now, observer } = this.#dependencies
    const decoded = decodeUpstream(verifyFrame(this.#verifier, frame, settings.limits.depth))
    const { seq } = decoded
    if (seq !== this.#received + 1) throw new ProtocolError('SEQUENCE_INVALID', `expected seq ${this.#received + 1}`)
    this.#received = seq
    this.lastSeenAt = now()
    const retryAfterMs = this.#bucket.take(this.lastSeenAt)
    if (retryAfterMs > 0) {
      this.#reportRefusal('RATE_LIMITED')
      this.send({ type: 'error', re: seq, code: 'RATE_LIMITED', message: codes.RATE_LIMITED.message, retryAfterMs })
      return { seq }
    }
    if ('error' in decoded) throw decoded.error
    observer.received(decoded.message.type)
    return { message: decoded.message, seq }
  }

  #answer(message: Upstream, seq: number, answer: Answer): void {
    const reply = 'type' in answer ? answer : answer[0]
    this.send(Object.assign({ type: reply.type, re: seq }, reply) as Outgoing)
    if (!('type' in answer)) {
      const [, ...followUps]: readonly [Reply, ...FollowUp[]] = answer
      for (const publication of followUps) this.send(publication)
    }
    if (reply.type === 'subscribed') this.#subscriptions.release(reply.channel)
    if (message.type === 'bye' && !this.#ended) {
      this.#transport.close(closeNormal, 'bye')
      this.#finish('bye')
    }
  }

  /** What went wrong with a frame: said with its `re` where the session goes on, else the last word. */
  #refuse(error: unknown, asked?: number): void {
    if (this.#ended) return
    const refusal = frameErrorOf(error, asked, this.log)
    const { ends: _ends, seq, ...told } = refusal
    this.#reportRefusal(refusal.code)
    if (!refusal.ends) this.send({ type: 'error', re: seq ?? this.#received, ...told })
    else {
      const re = seq === undefined ? {} : { re: seq }
      this.#sayAndClose({ type: 'error', ...re, ...told }, refusal.code)
    }
  }

  #reportRefusal(code: CodeName): void {
    this.#dependencies.observer.refused(code)
  }

  #sayAndClose(message: Outgoing, code: EndingCode): void {
    this.#write(message)
    this.#transport.close(codes[code].close, code)
    this.#finish(code)
  }

  #finish(ending: Ending): void {
    if (this.#ended) return
    this.#ended = true
    this.#subscriptions.close()
    this.#dependencies.observer.ended(this.#transport.name, ending)
    this.log.info({ ending }, 'session ended')
    this.#onEnd(this, ending)
  }

  /** What time brings: the session's own end, silence, the next fresh challenge. Called about once a second. */
  tick(now: number): void {
    if (now >= this.expiresAt) this.end('SESSION_EXPIRED')
    else if (now - this.lastSeenAt >= this.#dependencies.settings.heartbeatTimeoutSeconds * 1000) {
      this.end('HEARTBEAT_LOST')
    } else if (this.#fresh.isOverdue(now)) this.end('HEARTBEAT_LOST', 'a challenge was not answered in time')
    else if (this.#fresh.isDue(now)) {
      this.#challengeAnew().catch((error: unknown) => {
        this.#fresh.giveUp()
        this.log.warn({ err: error }, 'no fresh challenge this time')
      })
    }
  }

  async #challengeAnew(): Promise<void> {
    const { registry, randomText, now } = this.#dependencies
    const { credentials } = await registry.credentials(this.peer.clientId, this.peer.keyId)
    const [credential] = credentials
    if (credential === undefined || !credential.usable) {
      this.end('SESSION_REVOKED')
      return
    }
    const challengeToken = randomText(32)
    this.#fresh.start(challengeToken, signChallenge(createNodeMac, credential.secret, challengeToken), now())
    this.send({ type: 'challenge', challengeToken, expiresIn: challengeSeconds })
  }
}
