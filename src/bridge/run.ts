import { answerFreshChallenge } from '../auth/fresh-challenge.js'
import { ownChannels } from '../auth/permissions.js'
import { type DecodedUpstream, decodeUpstream } from '../protocol/messages.js'
import type { SessionDependencies } from '../session/dependencies.js'
import { frameErrorOf } from '../session/frame-error.js'
import type { HandlerContext } from '../session/handlers/handler.js'
import { dispatch } from '../session/handlers/table.js'
import { StoredLicenseSlots } from '../session/license-slots.js'
import type { Outgoing } from '../session/session.js'
import type { ChallengeState } from '../store/bridge.js'
import { parseOpenChallenge } from './challenge.js'
import type { BridgeEnding } from './ending.js'
import type { PendingCommit } from './pending-commit.js'
import type { BridgeSession } from './session.js'
import { FetchedSubscriptions } from './subscriptions.js'

/** A message that was claimed by this instance. */
export interface ClaimedMessage {
  readonly seq: number
  readonly decoded: DecodedUpstream
}

/** What became of a batch: what to commit, and how the session ends, if it does. */
export interface BatchResult {
  readonly draft: PendingCommit
  /** The session is over with this, once the draft is committed (`bye`) or at once. */
  readonly ending?: BridgeEnding
}

/** Bytes of recovered publications in one batch; what is beyond follows as publications (PROTOCOL §10.3). */
const recoveredBytes = 131_072

export function decodeClaimed({ seq, text }: { readonly seq: number; readonly text: string }): ClaimedMessage {
  return { seq, decoded: decodeUpstream(text) }
}

/**
 * Runs claimed messages one after another, in the order of their seqs. Their effects use `sessionId:seq` as idempotency
 * key, so that a batch whose answers are lost with its instance may be run again by another (PROTOCOL §9.4 c).
 */
export async function runBatch(
  dependencies: SessionDependencies,
  session: BridgeSession,
  batch: readonly ClaimedMessage[]
): Promise<BatchResult> {
  const { settings, channels, observer, store, now } = dependencies
  const { peer, log } = session
  const { positions, challenge } = session.state
  const subscriptions = new FetchedSubscriptions(channels, settings.limits.recover, ownChannels(peer), positions)
  let answeredChallenge: ChallengeState | undefined
  const hasEnded = () => session.ending !== undefined
  const context: HandlerContext = {
    dependencies,
    peer,
    licenseSlots: new StoredLicenseSlots(store.licenseSlots, {
      ...{ sessionId: peer.sessionId, endsAt: session.expiresAt, hasEnded, now }
    }),
    answerChallenge(token, signature) {
      const { nextAt, open } = answeredChallenge ?? challenge
      const state = { nextAt, ...(open === undefined ? {} : { open: parseOpenChallenge(open) }) }
      const answer = answerFreshChallenge(state, token, signature, now(), settings.freshChallengeMs)
      answeredChallenge = { nextAt: answer.state.nextAt }
      return answer.isCorrect
    },
    subscriptions,
    mayRunAgain: true
  }
  const outgoing: Outgoing[] = []
  let recovered = 0
  let ending: BridgeEnding | undefined

  async function run({ seq, decoded }: ClaimedMessage): Promise<void> {
    if ('error' in decoded) throw decoded.error
    const { message } = decoded
    observer.received(message.type)
    const answer = await dispatch(context, message)
    const [reply] = Array.isArray(answer) ? answer : [answer]
    if (message.type === 'subscribe' && reply.type === 'subscribed') {
      const { publications, ...rest } = reply
      recovered += publications === undefined ? 0 : JSON.stringify(publications).length
      const isTooMuch = publications !== undefined && recovered > recoveredBytes
      const offset = isTooMuch && message.recover !== undefined ? message.recover.offset : reply.offset
      // What follows its answer is read from here on: there is one way for publications to go down.
      subscriptions.moveTo(reply.channel, { offset, epoch: reply.epoch })
      const { type, ...members } = isTooMuch ? { ...rest, offset } : reply
      outgoing.push({ type, re: seq, ...members })
      return
    }
    outgoing.push(Object.assign({ type: reply.type, re: seq }, reply) as Outgoing)
    if (message.type === 'bye') ending = 'bye'
  }

  const answered: number[] = []
  for (const message of batch) {
    answered.push(message.seq)
    try {
      await run(message)
    } catch (error) {
      const { ends, seq: _seq, ...told } = frameErrorOf(error, message.seq, log)
      observer.refused(told.code)
      if (ends) {
        ending = told.code as BridgeEnding
        break
      }
      outgoing.push({ type: 'error', re: message.seq, ...told })
    }
    if (ending !== undefined) break
  }
  return {
    draft: {
      answered,
      outgoing,
      positions: subscriptions.changes,
      ...(answeredChallenge === undefined ? {} : { challenge: answeredChallenge })
    },
    ...(ending === undefined ? {} : { ending })
  }
}
