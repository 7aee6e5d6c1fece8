import { reportBackgroundFailure } from '../session/background-failure.js'
import type { SessionDependencies } from '../session/dependencies.js'
import type { SessionIndex } from '../session/session-index.js'
import type { BridgeListener, BridgeNotification } from '../store/bridge.js'
import type { BridgeSession } from './session.js'
import { reloadSpreadMs } from './settings.js'

/** Applies notifications of other instances to the sessions of this one. */
export class NotificationListener implements BridgeListener {
  readonly #dependencies: Pick<SessionDependencies, 'store' | 'boundedLog'>
  readonly #sessions: SessionIndex<BridgeSession>

  constructor(dependencies: Pick<SessionDependencies, 'store' | 'boundedLog'>, sessions: SessionIndex<BridgeSession>) {
    this.#dependencies = dependencies
    this.#sessions = sessions
  }

  notification(sessionId: string, notification: BridgeNotification): void {
    const session = this.#sessions.get(sessionId)
    if (session === undefined) return
    if (notification === 'claims') session.state.notifyWaiting()
    else if (notification === 'ended') this.#markEnded(session)
    else session.wakeHeldPoll(notification)
  }

  #markEnded(session: BridgeSession): void {
    this.#dependencies.store.bridge
      .info(session.peer.sessionId)
      .then(stored => session.markEnded(stored?.ended ?? 'SESSION_NOT_FOUND'))
      .catch((error: unknown) => {
        const failed = 'could not read why the session ended'
        reportBackgroundFailure(this.#dependencies, 'session ends', error, session.log, failed)
      })
  }

  /** Held polls reload at random times, to spread the load on the store. */
  mayHaveMissed(): void {
    for (const session of this.#sessions.values()) {
      session.state.notifyWaiting()
      if (!session.isHolding) continue
      setTimeout(() => session.wakeHeldPoll('channels'), Math.random() * reloadSpreadMs).unref()
    }
  }
}
