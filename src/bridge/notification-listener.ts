import type { SessionIndex } from '../session/session-index.js'
import type { BridgeListener, BridgeNotification, BridgeStore } from '../store/bridge.js'
import type { BridgeSession } from './session.js'
import { reloadSpreadMs } from './settings.js'

/** Applies notifications of other instances to the sessions of this one. */
export class NotificationListener implements BridgeListener {
  readonly #store: BridgeStore
  readonly #sessions: SessionIndex<BridgeSession>

  constructor(store: BridgeStore, sessions: SessionIndex<BridgeSession>) {
    this.#store = store
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
    this.#store
      .info(session.peer.sessionId)
      .then(stored => session.markEnded(stored?.ended ?? 'SESSION_NOT_FOUND'))
      .catch((error: unknown) => session.log.warn({ err: error }, 'could not read why the session ended'))
  }

  /** Held polls reload at random moments, so that they do not all ask the store at once. */
  mayHaveMissed(): void {
    for (const session of this.#sessions.values()) {
      session.state.notifyWaiting()
      if (!session.isHolding) continue
      setTimeout(() => session.wakeHeldPoll('channels'), Math.random() * reloadSpreadMs).unref()
    }
  }
}
