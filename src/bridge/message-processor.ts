import type { SessionDependencies } from '../session/dependencies.js'
import { StoreUnavailable } from '../store/store.js'
import { SessionEnded } from './ending.js'
import type { PendingCommit } from './pending-commit.js'
import { type ClaimedMessage, decodeClaimed, runBatch } from './run.js'
import type { BridgeSession } from './session.js'
import { claimPatienceMs, freshClaimMs, lookEveryMs } from './settings.js'

interface Batch {
  readonly messages: readonly ClaimedMessage[]
  readonly firstSeq: number
  readonly takenAt: number
  /** Whether an exchange waits that will carry the answers. */
  readonly carries: () => boolean
}

/**
 * Runs the messages of one session that this instance has claimed, in the order of their seqs, after all lower ones,
 * whoever has claimed those (PROTOCOL §9.4 c). It does not hang on the exchange that brought them: what is not answered
 * in its time is answered in a later one.
 */
export class MessageProcessor {
  readonly #dependencies: SessionDependencies
  readonly #session: BridgeSession
  /** Waiting batches, the lowest first. */
  readonly #waiting: Batch[] = []
  /** Seqs that wait or run here. */
  readonly #mine = new Set<number>()
  #isWorking = false
  #isGuarding = false

  constructor(dependencies: SessionDependencies, session: BridgeSession) {
    this.#dependencies = dependencies
    this.#session = session
  }

  /** Whether nothing of this session waits or runs here. */
  get isIdle(): boolean {
    return !this.#isWorking && !this.#isGuarding
  }

  /**
   * Takes messages that were claimed by this instance, in order. The session's state changes when they are answered.
   * @param carries  whether an exchange waits that will carry the answers, and publications with them
   */
  take(messages: readonly ClaimedMessage[], carries: () => boolean): void {
    const fresh = messages.filter(({ seq }) => !this.#mine.has(seq))
    const [first] = fresh
    if (first === undefined) return
    for (const { seq } of fresh) this.#mine.add(seq)
    this.#waiting.push({ messages: fresh, firstSeq: first.seq, takenAt: performance.now(), carries })
    this.#waiting.sort((a, b) => a.firstSeq - b.firstSeq)
    if (this.#isWorking) return
    this.#isWorking = true
    this.#work().catch((error: unknown) => this.#report(error))
  }

  /** Looks after claims that others hold, until they are answered: whoever holds them may be gone. */
  guard(): void {
    if (this.#isGuarding || this.#lowestForeign() === undefined) return
    this.#isGuarding = true
    this.#watchOver()
      .catch((error: unknown) => this.#report(error))
      .finally(() => {
        this.#isGuarding = false
      })
  }

  #report(error: unknown): void {
    const { log } = this.#session
    if (error instanceof SessionEnded) this.#session.over(error.ending ?? 'SESSION_NOT_FOUND')
    else if (error instanceof StoreUnavailable) log.warn({ err: error.cause }, 'answers wait for the store')
    else log.error({ err: error }, 'a batch could not be run')
  }

  async #work(): Promise<void> {
    try {
      for (;;) {
        const [next] = this.#waiting
        if (next === undefined) return
        const foreign = this.#lowestForeign()
        if (foreign !== undefined && foreign < next.firstSeq) {
          this.guard()
          await this.#session.changed(lookEveryMs)
          if (this.#session.ending !== undefined) return
          continue
        }
        this.#waiting.shift()
        await this.#runBatch(next).catch((error: unknown) => this.#report(error))
        for (const { seq } of next.messages) this.#mine.delete(seq)
        this.#session.lookAgain()
      }
    } finally {
      this.#isWorking = false
    }
  }

  async #runBatch({ messages, firstSeq, takenAt, carries }: Batch): Promise<void> {
    if (performance.now() - takenAt > freshClaimMs && !(await this.#isStillOurs(firstSeq))) return
    const { draft, ending } = await runBatch(this.#dependencies, this.#session, messages)
    if (ending !== undefined && ending !== 'bye') {
      this.#session.end(ending)
      return
    }
    // A bye ends with the answer that carries its ack; where no exchange waits for it, now.
    const isCarried = carries()
    this.#session.saidBye = ending === 'bye' && isCarried
    await this.#commit(draft, () => isCarried)
    if (ending === 'bye' && !isCarried) this.#session.end('bye')
  }

  async #commit(draft: PendingCommit, carries: () => boolean): Promise<void> {
    const giveUpAt = performance.now() + claimPatienceMs
    for (;;) {
      try {
        await this.#session.commit(draft, carries(), carries)
        return
      } catch (error) {
        // Whether it happened is not known: the next try looks first, and the answers are not made a second time.
        if (!(error instanceof StoreUnavailable) || performance.now() > giveUpAt) throw error
        await this.#session.changed(lookEveryMs)
      }
    }
  }

  async #isStillOurs(seq: number): Promise<boolean> {
    const { instanceId } = this.#dependencies.settings
    const { claims } = await this.#session.reload()
    return claims.some(claim => claim.seq === seq && claim.owner === instanceId)
  }

  /** The lowest claim that nobody here works at. */
  #lowestForeign(): number | undefined {
    return this.#session.state.claims.find(({ seq }) => !this.#mine.has(seq))?.seq
  }

  async #watchOver(): Promise<void> {
    let since = performance.now()
    let lowest = this.#lowestForeign()
    while (lowest !== undefined && this.#session.ending === undefined) {
      await this.#session.changed(lookEveryMs)
      await this.#session.reload()
      const now = this.#lowestForeign()
      if (now !== lowest) since = performance.now()
      else await this.#adopt(lowest, performance.now() - since)
      lowest = this.#lowestForeign()
    }
  }

  /**
   * Takes over claims that nobody works at: of an instance that is gone; of a living one after a while; and of this one,
   * where the answer to its claim was lost and it does not know of it.
   */
  async #adopt(seq: number, waitedMs: number): Promise<void> {
    const { store, settings } = this.#dependencies
    const { sessionId } = this.#session.peer
    const orphan = this.#session.state.claims.find(claim => claim.seq === seq)
    if (orphan === undefined) return
    const isForgotten = waitedMs > (orphan.owner === settings.instanceId ? freshClaimMs : claimPatienceMs)
    if (!isForgotten && (await store.bridge.isAlive(orphan.owner))) return
    const taken = await store.bridge.takeOver(sessionId, orphan.owner, settings.instanceId)
    this.#session.log.info({ from: orphan.owner, messages: taken.length }, 'took over messages')
    await this.#session.reload()
    this.take(taken.map(decodeClaimed), () => false)
  }
}
