import type { Peer } from '../../auth/peer.js'
import type { Attributes, DownstreamMessages } from '../../protocol/messages.js'
import type { SessionCalls } from '../calls.js'
import type { SessionDependencies } from '../dependencies.js'
import type { LicenseSlots } from '../license-slots.js'
import type { Subscriptions } from '../subscriptions.js'

type Body<Type extends keyof DownstreamMessages> = Omit<DownstreamMessages[Type], 'seq' | 're'>

/** A handler's reply. The session adds `seq`, `re` and the signature. */
export type Reply =
  | Body<'heartbeat'>
  | Body<'validation'>
  | Body<'ack'>
  | Body<'subscribed'>
  | Body<'published'>
  | Body<'history'>
  | Body<'sessions'>
  | Body<'presence'>

/** A publication that is sent right after a reply. */
export type FollowUp = Omit<DownstreamMessages['publication'], 'seq'>

/**
 * A reply alone, or with the publications that must precede newer ones (PROTOCOL §10.3). `later`: the reply is a
 * separate message.
 */
export type Answer = Reply | readonly [Reply, ...FollowUp[]] | 'later'

/** The part of a session that handlers may read and change. */
export interface HandlerContext {
  readonly dependencies: SessionDependencies
  readonly peer: Peer
  readonly subscriptions: Subscriptions
  readonly calls: SessionCalls
  /** Whether a message may be handled twice, after a crash: its effects then need an idempotency key. */
  readonly mayRunAgain: boolean
  readonly licenseSlots: LicenseSlots
  /** Replaces this instance's copy of the peer's attributes. The caller updates the store. */
  changeAttributes(attributes: Attributes): void
  /** Bytes left for an answer with a list (PROTOCOL §11). @throws RateLimited */
  listBytes(): number
  /** Closes the open fresh challenge (PROTOCOL §6). @returns whether the answer was correct */
  answerChallenge(challengeToken: string, challengeSignature: string): boolean
}

/**
 * Handles one type of message.
 * @throws ProtocolError sent as an error in place of the reply; its code decides whether the session goes on
 * @throws StoreUnavailable sent as UNAVAILABLE
 */
export type Handler<Message> = (context: HandlerContext, message: Message) => Answer | Promise<Answer>
