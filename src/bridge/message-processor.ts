import type { SessionDependencies } from '../session/dependencies.js'
import { type MaybePromise, recoverFrom, whenReady } from '../store/maybe-promise.js'
import { StoreUnavailable } from '../store/store.js'
import { consecutiveRuns } from './consecutive-runs.js'
import type { Delivery, DeliveryTicket } from './delivery.js'
import type { PendingCommit } from './pending-commit.js'
import { type BatchResult, type ClaimedMessage, decodeClaimed, runBatch } from './run-batch.js'
import type { BridgeSession } from './session.js'
import { SessionEnded } from './session-ended.js'
import { claimPollIntervalMs, claimRecheckAfterMs, claimTakeoverAfterMs } from './settings.js'

interface Batch {
  readonly messages: readonly ClaimedMessage[]
  readonly firstSeq: number
  /** `performance.now()` of its arrival. */
  readonly enqueuedAt: number
  /** Of the exchange with the messages; undefined: they were taken over. */
  readonly ticket: DeliveryTicket | undefined
}

/**
 * Runs the messages of one session that this instance has claimed, in the order of their seqs and after all lower ones,
 * including those that other instances have claimed (PROTOCOL §9.4 c). It is independent of the exchanges: answers that
 * are not ready in time go out with a later exchange.
 */
export class MessageProcessor {
  readonly #dependencies: SessionDependencies
  readonly #session: BridgeSession
  /** Waiting batches, ordered by seq. */
  readonly #queue: Batch[] = []
  /** Seqs that wait or run here. */
  readonly #owned = new Set<number>()
  #isProcessing = false
  #isWatchingClaims = false

  constructor(dependencies: SessionDependencies, session: BridgeSession) {
    this.#dependencies = dependencies
    this.#session = session
  }

  get isIdle(): boolean {
    return !this.#isProcessing && !this.#isWatchingClaims
  }

  /**
   * Runs messages that this instance claimed, in order, even if others have claimed messages between them. The
   * session's state changes when they are answered.
   * @param ticket of the exchange that waits for the answers, if any
   */
  enqueue(messages: readonly ClaimedMessage[], ticket?: DeliveryTicket): void {
    const added = messages.filter(({ seq }) => !this.#owned.has(seq))
    if (added.length === 0) return
    for (const { seq } of added) this.#owned.add(seq)
    const enqueuedAt = performance.now()
    for (const run of consecutiveRuns(added)) {
      this.#queue.push({ messages: run, firstSeq: run[0].seq, enqueuedAt, ticket })
    }
    this.#queue.sort((a, b) => a.firstSeq - b.firstSeq)
    if (this.#isProcessing) return
    this.#isProcessing = true
    this.#process().catch((error: unknown) => this.#report(error))
  }

  /** Watches claims of other instances until they are answered, and takes over those of lost instances. */
  watchClaims(): void {
    if (this.#isWatchingClaims || this.#lowestForeignClaim() === undefined) return
    this.#isWatchingClaims = true
    this.#watchClaims()
      .catch((error: unknown) => this.#report(error))
      .finally(() => {
        this.#isWatchingClaims = false
      })
  }

  #report(error: unknown): void {
    const { log } = this.#session
    if (error instanceof SessionEnded) this.#session.markEnded(error.ending ?? 'SESSION_NOT_FOUND')
    else if (error instanceof StoreUnavailable) this.#dependencies.boundedLog.storeFailed('exchanges', error)
    else log.error({ err: error }, 'a batch failed')
  }

  async #process(): Promise<void> {
    try {
      for (;;) {
        const [next] = this.#queue
        if (next === undefined) return
        const foreign = this.#lowestForeignClaim()
        if (foreign !== undefined && foreign < next.firstSeq) {
          this.watchClaims()
          await this.#session.state.changed(claimPollIntervalMs)
          if (this.#session.ending !== undefined) return
          continue
        }
        this.#queue.shift()
        const run = this.#run(next)
        if (run instanceof Promise) await run
        for (const { seq } of next.messages) this.#owned.delete(seq)
        this.#session.state.notifyWaiting()
      }
    } finally {
      this.#isProcessing = false
    }
  }

  #run(batch: Batch): MaybePromise<void> {
    const isLate = performance.now() - batch.enqueuedAt > claimRecheckAfterMs
    return recoverFrom(
      () =>
        whenReady(isLate ? this.#ownsClaim(batch.firstSeq) : true, isOwn =>
          isOwn
            ? whenReady(runBatch(this.#dependencies, this.#session, batch.messages), result =>
                this.#finish(batch, result)
              )
            : undefined
        ),
      error => this.#report(error)
    )
  }

  #finish({ ticket }: Batch, { pending, calls, capabilities, ending }: BatchResult): MaybePromise<void> {
    if (ending !== undefined && ending !== 'bye') {
      this.#session.end(ending)
      return
    }
    // Decided here, after the messages ran: the exchange may have stopped waiting meanwhile.
    const delivery = ticket?.delivery ?? 'wakeHeldPoll'
    // A `bye` ends the session with the answer that contains its ack; without such an answer it ends right away.
    if (ending === 'bye' && delivery === 'inAnswer') this.#session.leaveWithNextAnswer()
    return whenReady(this.#commit(pending, delivery), isCommitted => {
      if (isCommitted && calls.length > 0) this.#session.calls.dispatch(this.#session, calls)
      // The batch ran with the earlier capabilities, and may have joined a channel that they allowed.
      const isNarrowed = this.#session.peer.capabilities !== capabilities
      return whenReady(isNarrowed ? this.#session.leaveForbiddenChannels() : undefined, () => {
        if (ending === 'bye' && delivery === 'wakeHeldPoll') this.#session.end('bye')
      })
    })
  }

  /**
   * Retries while the store is unavailable. The outbox reloads first, so that no answer is committed twice.
   * @returns false if another instance owns the claims, or the outcome of an earlier try was the commit itself
   */
  #commit(
    pending: PendingCommit,
    delivery: Delivery,
    giveUpAt = performance.now() + claimTakeoverAfterMs
  ): MaybePromise<boolean> {
    const options = { delivery, withPublications: delivery === 'inAnswer' }
    return recoverFrom(
      () => whenReady(this.#session.outbox.commit(pending, options), outcome => outcome !== 'lost'),
      async error => {
        if (!(error instanceof StoreUnavailable) || performance.now() > giveUpAt) throw error
        await this.#session.state.changed(claimPollIntervalMs)
        return this.#commit(pending, delivery, giveUpAt)
      }
    )
  }

  async #ownsClaim(seq: number): Promise<boolean> {
    const { instanceId } = this.#dependencies.settings
    const { claims } = await this.#session.state.reload()
    return claims.some(claim => claim.seq === seq && claim.owner === instanceId)
  }

  /** The lowest claim whose message is neither waiting nor running here. */
  #lowestForeignClaim(): number | undefined {
    return this.#session.state.current.claims.find(({ seq }) => !this.#owned.has(seq))?.seq
  }

  async #watchClaims(): Promise<void> {
    let since = performance.now()
    let lowest = this.#lowestForeignClaim()
    while (lowest !== undefined && this.#session.ending === undefined) {
      await this.#session.state.changed(claimPollIntervalMs)
      await this.#session.state.reload()
      const found = this.#lowestForeignClaim()
      if (found !== lowest) since = performance.now()
      else await this.#claimAbandoned(lowest, performance.now() - since)
      lowest = this.#lowestForeignClaim()
    }
  }

  /**
   * Takes over an unanswered claim: of a dead instance at once, of a live one after a while, and of this instance when
   * the reply to its own claim was lost.
   */
  async #claimAbandoned(seq: number, waitedMs: number): Promise<void> {
    const { store, settings } = this.#dependencies
    const { sessionId } = this.#session.peer
    const claim = this.#session.state.current.claims.find(each => each.seq === seq)
    if (claim === undefined) return
    const patienceMs = claim.owner === settings.instanceId ? claimRecheckAfterMs : claimTakeoverAfterMs
    if (waitedMs <= patienceMs && (await store.bridge.isAlive(claim.owner))) return
    const messages = await store.bridge.takeOver(sessionId, claim.owner, settings.instanceId)
    this.#session.log.info({ from: claim.owner, messages: messages.length }, 'took over messages')
    await this.#session.state.reload()
    this.enqueue(messages.map(message => decodeClaimed(this.#session.claims, message)))
  }
}
