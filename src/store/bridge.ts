import type { Position } from './channels.js'

/**
 * Sessions of the bridge in the store (PROTOCOL §9): any instance serves any request, so everything that a session is
 * lies here. Each verb is one atomic step; `docs/model/` shows that these steps lose nothing and run nothing twice.
 *
 * Upstream, a message is *claimed* before it runs and its claim is removed by the commit of its answer. Downstream,
 * frames get their `seq` by that commit and wait in the *outbox* until they are acknowledged. A commit names the version
 * that it was made on: of two instances that sign the next frame only one is taken, the other looks anew.
 */

/** What is fixed when a session opens. */
export interface NewBridgeSession {
  readonly sessionId: string
  /** Opaque to the store: who it is, and the session's keys, sealed. */
  readonly info: string
  /** Where the channels stand that are joined from the start. */
  readonly positions: ReadonlyMap<string, Position>
  /** When the next fresh challenge is due, unix milliseconds. */
  readonly challengeAt: number
}

/** A message that was taken and has no answer yet. */
export interface Claim {
  readonly seq: number
  /** The instance that runs it. */
  readonly owner: string
}

/** A fresh challenge (PROTOCOL §6.2). */
export interface ChallengeState {
  /** When the next one is due, unix milliseconds. */
  readonly nextAt: number
  /** The one that is out, opaque to the store. */
  readonly open?: string
}

/** A session as one step found it, or left it. */
export interface BridgeState {
  /** Rises with each commit. */
  readonly version: number
  /** The highest upstream seq that was claimed. */
  readonly received: number
  /** The highest downstream seq that was given out. */
  readonly sent: number
  /** The highest ack ever received. */
  readonly ack: number
  /** The frames after `ack`, in order, from the first: as many as fit in what was asked for, at least one. */
  readonly frames: readonly string[]
  readonly positions: ReadonlyMap<string, Position>
  /** In order. */
  readonly claims: readonly Claim[]
  readonly challenge: ChallengeState
}

export interface ExchangeRequest {
  readonly sessionId: string
  /** The instance that asks. */
  readonly instanceId: string
  readonly poll: number
  readonly ack: number
  /** Whether it would wait: then it takes the place of a poll that is held (rule f). */
  readonly isLongPoll: boolean
  /** In order, their seqs rising by one. `text` is kept with the claim, for whoever has to run it again. */
  readonly messages: readonly { readonly seq: number; readonly text: string }[]
  /** Bytes of frames to return, at most; one frame is always returned. */
  readonly answerBytes: number
  /** Messages and polls a second in the long run, twice that at once; 0: any number. */
  readonly perSecond: number
}

export type ExchangeOutcome =
  /** No such session, or one from before the store was rewound (PROTOCOL §10.5): then all others are gone as well. */
  | { readonly kind: 'missing'; readonly isRewound: boolean }
  | { readonly kind: 'ended'; readonly code: string }
  /** The batch begins beyond the next seq: nothing was changed. */
  | { readonly kind: 'gap'; readonly expectedSeq: number }
  | { readonly kind: 'limited'; readonly retryAfterMs: number }
  /** Neither a new poll number nor a new seq: nothing was changed. */
  | { readonly kind: 'stale' }
  | {
      readonly kind: 'accepted'
      readonly isNewPoll: boolean
      /** How many messages, the last of the batch, were claimed by this call. */
      readonly claimed: number
      readonly state: BridgeState
    }

export interface BridgeCommit {
  readonly sessionId: string
  readonly instanceId: string
  /** The version on which the frames were signed. */
  readonly version: number
  /** Claims of this instance that these frames answer. */
  readonly answered: readonly number[]
  /** The next frames, from seq `sent + 1` on. */
  readonly frames: readonly string[]
  /** Where channels stand now; nothing: the channel was left. */
  readonly positions: ReadonlyMap<string, Position | undefined>
  readonly challenge?: ChallengeState
  /**
   * What the instance of a held poll is told, if it is another: `frames` unless the answer of their own exchange carries
   * them (rule g), `channels` where one was joined or left.
   */
  readonly notify?: 'frames' | 'channels'
  /** Frames and bytes that may wait in all (PROTOCOL §11). */
  readonly maxFrames: number
  readonly maxBytes: number
}

/** `changed`: another commit came first, or a claim has another owner. `full`: too much would wait. Nothing was changed. */
export type CommitOutcome = 'done' | 'changed' | 'full' | 'gone'

/** Word for an instance about one of its exchanges. A hint: it may be lost. */
export type BridgeNotification =
  /** Frames were committed that no exchange carries. */
  | 'frames'
  /** A channel was joined or left. */
  | 'channels'
  /** Another poll isLongPoll now. */
  | 'superseded'
  /** Claims that it waited for were answered. */
  | 'claims'
  | 'ended'

export interface BridgeListener {
  notification(sessionId: string, word: BridgeNotification): void
  /** Word may have been lost. */
  mayHaveMissed(): void
}

export interface BridgeStore {
  open(session: NewBridgeSession): Promise<void>
  /** What was fixed when it opened, and whether it is over. Nothing: no such session. */
  info(sessionId: string): Promise<{ readonly info: string; readonly ended?: string } | undefined>
  exchange(request: ExchangeRequest): Promise<ExchangeOutcome>
  /** The session as it is now; nothing where it is missing or over. */
  read(sessionId: string, answerBytes: number): Promise<BridgeState | undefined>
  commit(commit: BridgeCommit): Promise<CommitOutcome>
  /** Takes the claims of an instance that is gone. @returns their messages, in order */
  takeOver(
    sessionId: string,
    from: string,
    to: string
  ): Promise<readonly { readonly seq: number; readonly text: string }[]>
  /**
   * Ends a session: what waits is dropped, and the code is kept for `keptMs` with its info. The first ending counts.
   * @returns the code that counts; nothing where there is no such session
   */
  end(sessionId: string, code: string, keptMs: number): Promise<string | undefined>
  /** Says that this instance lives, for `lifeMs`. */
  heartbeat(instanceId: string, lifeMs: number): Promise<void>
  isAlive(instanceId: string): Promise<boolean>
  /** Sets who hears the words for an instance. Returns the undoing. */
  listen(instanceId: string, listener: BridgeListener): () => void
}

/** A rate may be spent this far ahead, in seconds: so many messages at once, then `perSecond`. */
export const burstSeconds = 2
