import type { BridgeListener, BridgeNotification, BridgeStore } from '../bridge.js'
import { BridgeSessionTable } from './bridge-session-table.js'

/**
 * Bridge sessions in memory, for one process. A restart forgets them; their clients open new ones.
 * @param now    unix milliseconds
 * @param onEnd  called when a session has ended
 */
export function createEmbeddedBridge(now: () => number, onEnd: (sessionId: string) => void = () => {}): BridgeStore {
  const sessions = new BridgeSessionTable(now)
  const listeners = new Map<string, BridgeListener>()

  function notify(instanceId: string | undefined, sessionId: string, notification: BridgeNotification): void {
    if (instanceId !== undefined) listeners.get(instanceId)?.notification(sessionId, notification)
  }

  return {
    open: async session => sessions.add(session),
    async info(sessionId) {
      const session = sessions.find(sessionId)
      if (session === undefined) return undefined
      return { info: session.info, ...(session.ended === undefined ? {} : { ended: session.ended }) }
    },
    exchange: request =>
      sessions.find(request.sessionId)?.exchange(request, now()) ?? { kind: 'missing', isRewound: false },
    async read(sessionId, answerBytes) {
      const session = sessions.find(sessionId)
      return session?.isLive === true ? session.state(answerBytes) : undefined
    },
    commit(commit) {
      const { sessionId, instanceId, notify: notification } = commit
      const session = sessions.find(sessionId)
      const outcome = session?.commit(commit) ?? 'gone'
      if (outcome === 'done' && notification !== undefined && session?.holder !== instanceId) {
        notify(session?.holder, sessionId, notification)
      }
      return outcome
    },
    takeOver: async (sessionId, from, to) => sessions.find(sessionId)?.takeOver(from, to) ?? [],
    async end(sessionId, code, keptMs) {
      const session = sessions.find(sessionId)
      if (session === undefined) return undefined
      if (session.ended !== undefined) return { code: session.ended, isFirst: false, openCalls: [] }
      const openCalls = session.end(code, now() + keptMs)
      onEnd(sessionId)
      notify(session.holder, sessionId, 'ended')
      return { code, isFirst: true, openCalls }
    },
    async heartbeat() {},
    // The asking instance is the only one.
    isAlive: async instanceId => listeners.has(instanceId),
    listen(instanceId, listener) {
      listeners.set(instanceId, listener)
      return () => void listeners.delete(instanceId)
    }
  }
}
