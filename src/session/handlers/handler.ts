import type { DownstreamMessages } from '../../protocol/messages.js'
import type { SessionDependencies } from '../dependencies.js'
import type { Peer } from '../peer.js'
import type { Subscriptions } from '../subscriptions.js'

type Body<Type extends keyof DownstreamMessages> = Omit<DownstreamMessages[Type], 'seq' | 're'>

/** What a handler answers; the session adds `seq`, `re` and the signature. */
export type Reply = Body<'heartbeat'> | Body<'validation'> | Body<'ack'> | Body<'subscribed'> | Body<'published'>

/** A publication that goes down with an answer, right after it. */
export type FollowUp = Omit<DownstreamMessages['publication'], 'seq'>

/** The answer alone, or with what has to come before anything newer (PROTOCOL §10.3). */
export type Answer = Reply | readonly [Reply, ...FollowUp[]]

/** What a handler may know and touch of its session. */
export interface HandlerContext {
  readonly dependencies: SessionDependencies
  readonly peer: Peer
  /** When the session ends at the latest, unix milliseconds. */
  readonly expiresAt: number
  readonly subscriptions: Subscriptions
  /** Whether a message of this session may be handled once more, after a crash: its effects then need a key. */
  readonly mayRunAgain: boolean
  /** Licenses on which this session sits, see the validate handler. */
  readonly licenseSlots: Set<string>
  /** Whether the session has ended while its message was handled. */
  readonly hasEnded: () => boolean
  /** The fresh challenge that is out, if one is (PROTOCOL §6). */
  readonly freshChallenge: FreshChallenge
}

/** The state of a session's fresh challenges. */
export interface FreshChallenge {
  /** Ends the challenge with this token. @returns whether it was answered rightly */
  settle(challengeToken: string, challengeSignature: string): boolean
}

/**
 * Answers one type of message.
 * @throws ProtocolError what the peer is told instead; its code says whether the session goes on
 * @throws StoreUnavailable told as UNAVAILABLE
 */
export type Handler<Message> = (context: HandlerContext, message: Message) => Answer | Promise<Answer>
