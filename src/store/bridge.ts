import type { WantedCall } from './calls.js'
import type { Position } from './channels.js'
import type { MaybePromise } from './maybe-promise.js'

/**
 * Bridge sessions in the store (PROTOCOL §9). Any instance serves any request, so the store has the whole state of a
 * session. Each method is one atomic step; `docs/model/` verifies that these steps neither lose a message nor run one
 * twice.
 *
 * Upstream, a message is *claimed* before it runs, and the commit of its answer removes the claim. One step does both
 * if the answer depends on the state alone. Downstream, that commit assigns each frame its `seq` and adds it to the
 * *outbox*, where it stays until it is acknowledged. A commit states its base version: if two instances sign the next
 * frame, one commit succeeds and the other instance reads the state again.
 */

/** The fixed part of a session. */
export interface NewBridgeSession {
  readonly sessionId: string
  /** Opaque to the store: the peer, and the session's keys, sealed. */
  readonly info: string
  /** Positions in the channels that are joined from the start. */
  readonly positions: ReadonlyMap<string, Position>
  /** When the next fresh challenge is due, unix milliseconds. */
  readonly challengeAt: number
}

/** An accepted message without an answer. */
export interface Claim {
  readonly seq: number
  /** The instance that runs it. */
  readonly owner: string
}

/** A fresh challenge (PROTOCOL §6.2). */
export interface ChallengeState {
  /** When the next one is due, unix milliseconds. */
  readonly nextAt: number
  /** The challenge that awaits its response, opaque to the store. */
  readonly open?: string
}

/** A call by the session that awaits its outcome (PROTOCOL §16). */
export interface AwaitedCall extends WantedCall {
  /**
   * Latest time for the session to get an outcome, in unix milliseconds; 0: the outcome exists, and did not fit into
   * the outbox.
   */
  readonly deadline: number
}

/** A call to the session, whose frame the commit adds. */
export interface ReceivedCall {
  readonly callId: string
  /** Unix milliseconds. */
  readonly expiresAt: number
  /** Unix milliseconds: calls that have expired by then are forgotten. */
  readonly now: number
  /** Most unanswered calls to the session; above, the commit is `busy`. */
  readonly maxOpen: number
}

/** The state of a session after one step. */
export interface BridgeState {
  /** Rises with each commit. */
  readonly version: number
  /** The highest upstream seq that was claimed. */
  readonly received: number
  /** The highest downstream seq that was assigned. */
  readonly sent: number
  /** The highest ack that was received. */
  readonly ack: number
  /** The frames after `ack`, in order: as many as fit into the requested bytes, at least one. */
  readonly frames: readonly string[]
  readonly positions: ReadonlyMap<string, Position>
  /** In order of their seqs. */
  readonly claims: readonly Claim[]
  readonly challenge: ChallengeState
  /** By the seq of the call. */
  readonly awaited: ReadonlyMap<number, AwaitedCall>
}

export interface ExchangeRequest {
  readonly sessionId: string
  /** The instance that serves the request. */
  readonly instanceId: string
  readonly poll: number
  readonly ack: number
  /** Whether the poll may wait for frames. It then supersedes a held poll (rule f). */
  readonly isLongPoll: boolean
  /** Consecutive seqs. `text` is kept with the claim, in case another instance has to run the message. */
  readonly messages: readonly { readonly seq: number; readonly text: string }[]
  /** Most bytes of frames to return, less if others return frames in the same step; at least one frame is returned. */
  readonly answerBytes: number
  /** Long-term rate of messages and polls per second, with a burst of {@link burstSeconds}; 0 is unlimited. */
  readonly perSecond: number
  /**
   * The exchange only keeps the session alive or frees memory, so a full store runs it from its reserve. Default false.
   */
  readonly mayUseReserve?: boolean
  /**
   * The last state known to the caller: if only this exchange changes it, the store need not read it again. It does not
   * affect the outcome.
   */
  readonly known?: BridgeState | undefined
  /**
   * One frame per message, from seq `ack + 1` on: its answer. The step then claims nothing and commits the answers. It
   * has no effect if they are not the next frames, or if an earlier message is open. Only for messages without any
   * other effect.
   */
  readonly answers?: readonly string[] | undefined
}

/** Whether a state has no claims, whose owners may change without a new version, and the client has all its frames. */
export function leavesNothingOpen({ claims, sent }: BridgeState, ack: number): boolean {
  return claims.length === 0 && sent === ack
}

export type ExchangeOutcome =
  /**
   * Unknown session. `isRewound`: its state is from before the store was rewound (PROTOCOL §10.5), like all others. No
   * step accepts it any more; the caller ends it.
   */
  | { readonly kind: 'missing'; readonly isRewound: boolean }
  | { readonly kind: 'ended'; readonly code: string }
  /** The batch begins above the next seq; nothing was changed. */
  | { readonly kind: 'gap'; readonly expectedSeq: number }
  | { readonly kind: 'limited'; readonly retryAfterMs: number }
  /** Neither the poll number nor a seq is new; nothing was changed. */
  | { readonly kind: 'stale' }
  /** `answers` are not the next frames, an earlier message is open, or the poll is not new; nothing was changed. */
  | { readonly kind: 'changed' }
  | {
      readonly kind: 'accepted'
      readonly isNewPoll: boolean
      /** Number of messages, the last of the batch, that this call claimed; 0 if it answered them. */
      readonly claimed: number
      readonly state: BridgeState
    }

export interface BridgeCommit {
  readonly sessionId: string
  readonly instanceId: string
  /** The version that the frames were signed on. */
  readonly version: number
  /** Seqs of this instance's claims that the frames answer. */
  readonly answered: readonly number[]
  /** The next frames, from seq `sent + 1` on. */
  readonly frames: readonly string[]
  /** New positions of channels; undefined: the channel was left. */
  readonly positions: ReadonlyMap<string, Position | undefined>
  readonly challenge?: ChallengeState | undefined
  /** Calls by the session; undefined: it has the outcome. By the seq of the call. */
  readonly awaited?: ReadonlyMap<number, AwaitedCall | undefined> | undefined
  readonly receives?: ReceivedCall | undefined
  /** Ids of answered calls to the session. */
  readonly answeredCalls?: readonly string[] | undefined
  /**
   * Sent to the instance of a held poll, if it is another instance: `channels` if a channel was joined or left,
   * `frames` unless the answer to this instance's own exchange delivers the frames (rule g), `call` if the frames must
   * not wait for more.
   */
  readonly notify?: 'frames' | 'channels' | 'call' | undefined
  /** Most frames in the outbox (PROTOCOL §11). */
  readonly maxFrames: number
  /** Most bytes in the outbox (PROTOCOL §11). */
  readonly maxBytes: number
}

/**
 * `changed`: another commit came first, or a claim has another owner. `full`: the outbox would exceed its bounds. `gone`:
 * the session is unknown or has ended. `busy`: too many calls to the session are open. Only `done` changes anything.
 */
export type CommitOutcome = 'done' | 'changed' | 'full' | 'gone' | 'busy'

/** A notification to an instance about one of its exchanges. It may be lost. */
export type BridgeNotification =
  /** Frames were committed that no exchange delivers. */
  | 'frames'
  /** The same, and they must not wait for further frames. */
  | 'call'
  /** A channel was joined or left. */
  | 'channels'
  /** A newer poll is held. */
  | 'superseded'
  /** Claims that the instance waits for were answered. */
  | 'claims'
  | 'ended'

export interface BridgeListener {
  notification(sessionId: string, notification: BridgeNotification): void
  /** Notifications may have been lost. */
  mayHaveMissed(): void
}

/** The message of a claim that changed its owner. */
export interface ClaimedMessage {
  readonly seq: number
  readonly text: string
}

/** The announcement of a live instance, sent with its heartbeat. */
export interface InstanceAnnouncement {
  /** The newest schema that it can read. */
  readonly schemaVersion: number
  /** Keyed digests of its secrets, which only other instances on the same store can compare. Absent: an earlier version. */
  readonly secrets?: { readonly adminToken: string; readonly masterKeys: string }
  /** It is about to stop: no session should move to it. */
  readonly isStopping?: true
}

export interface EndedBridgeSession {
  readonly code: string
  /** Whether this call ended the session: so for one of all calls, on all instances. */
  readonly isFirst: boolean
  /** Ids of calls. Empty if the session had already ended. */
  readonly openCalls: readonly string[]
}

export interface BridgeStore {
  open(session: NewBridgeSession): Promise<void>
  /** The session's fixed part and, if it has ended, its code; undefined if it is unknown. */
  info(sessionId: string): Promise<{ readonly info: string; readonly ended?: string } | undefined>
  exchange(request: ExchangeRequest): MaybePromise<ExchangeOutcome>
  /** The current state; undefined if the session is unknown or has ended. */
  read(sessionId: string, answerBytes: number): Promise<BridgeState | undefined>
  commit(commit: BridgeCommit): MaybePromise<CommitOutcome>
  /** Moves the claims of a dead instance to another. @returns their messages, in order */
  takeOver(sessionId: string, from: string, to: string): Promise<readonly ClaimedMessage[]>
  /**
   * Ends a session: its outbox is dropped; its info and its code are kept for `keptMs`. The first call determines the
   * code.
   * @returns the code, and the unanswered calls to the session; undefined if the session is unknown
   */
  end(sessionId: string, code: string, keptMs: number): Promise<EndedBridgeSession | undefined>
  /**
   * Marks an instance as alive for `lifeMs`.
   * @param announcement  its data for other instances
   */
  heartbeat(instanceId: string, lifeMs: number, announcement: InstanceAnnouncement): Promise<void>
  isAlive(instanceId: string): Promise<boolean>
  /** Sets the listener for an instance's notifications. @returns a function that removes it */
  listen(instanceId: string, listener: BridgeListener): () => void
}

/** A burst may use the rate of this number of seconds in advance. */
export const burstSeconds = 2
