import { reportBackgroundFailure } from '../session/background-failure.js'
import type { SessionDependencies } from '../session/dependencies.js'
import type { BridgeSession } from './session.js'
import type { BridgeEnding } from './session-ended.js'
import { endedRetentionMs } from './settings.js'

/** Ends sessions in the store. */
export class StoredEndings {
  readonly #dependencies: SessionDependencies
  /** Writes not yet confirmed by the store. */
  readonly #pending = new Set<Promise<void>>()

  constructor(dependencies: SessionDependencies) {
    this.#dependencies = dependencies
  }

  /** License slots first: if this is interrupted, the session stays, and the reaper releases them. @throws StoreUnavailable */
  async end(sessionId: string, ending: BridgeEnding): Promise<void> {
    const { store, observer, calls } = this.#dependencies
    await store.licenseSlots.releaseAll(sessionId)
    const ended = await store.bridge.end(sessionId, ending, endedRetentionMs)
    calls.abandon(ended?.openCalls ?? [])
    if (ended?.isFirst === true) observer.ended('bridge', ending)
    const wasListed = await store.sessions.end(sessionId)
    // A client's `bye` has removed the entry before: the entry decides only where the store lost the session itself.
    if (ended === undefined && wasListed) observer.ended('bridge', ending)
  }

  /** Ends a session that ended here. If the store does not answer, the reaper does it later. */
  endInBackground(session: BridgeSession, ending: BridgeEnding): void {
    const { sessionId } = session.peer
    const write = this.end(sessionId, ending)
      .catch((error: unknown) => {
        const failed = 'could not end the session in the store'
        reportBackgroundFailure(this.#dependencies, 'session ends', error, session.log, failed)
      })
      .finally(() => this.#pending.delete(write))
    this.#pending.add(write)
  }

  /** A session that no instance may be serving: every instance ends it in the store. */
  revokeInBackground(sessionId: string): void {
    this.#revoke(sessionId).catch((error: unknown) => {
      const failed = `could not revoke the session ${sessionId}`
      reportBackgroundFailure(this.#dependencies, 'session ends', error, this.#dependencies.log, failed)
    })
  }

  async #revoke(sessionId: string): Promise<void> {
    const stored = await this.#dependencies.store.bridge.info(sessionId)
    if (stored !== undefined) await this.end(sessionId, 'SESSION_REVOKED')
  }

  /** Resolves when the store has confirmed every end, or has failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending)
  }
}
