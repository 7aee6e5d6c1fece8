import type { BridgeListener, BridgeNotification, BridgeStore } from '../bridge.js'
import { StoreUnavailable } from '../errors.js'
import { EmbeddedBridgeSession } from './bridge-session.js'

/** Bridge sessions that are kept, ended ones included. At the bound new ones are refused. */
const maxSessions = 200_000

/**
 * Bridge sessions in memory, for one process. A restart forgets them; their clients open new ones.
 * @param now  unix milliseconds
 */
export function createEmbeddedBridge(now: () => number): BridgeStore {
  const sessions = new Map<string, EmbeddedBridgeSession>()
  const listeners = new Map<string, BridgeListener>()

  function notify(instanceId: string | undefined, sessionId: string, notification: BridgeNotification): void {
    if (instanceId !== undefined) listeners.get(instanceId)?.notification(sessionId, notification)
  }

  function find(sessionId: string): EmbeddedBridgeSession | undefined {
    const session = sessions.get(sessionId)
    if (session === undefined || !session.isForgotten(now())) return session
    sessions.delete(sessionId)
    return undefined
  }

  return {
    async open(session) {
      if (sessions.size >= maxSessions) for (const sessionId of sessions.keys()) find(sessionId)
      if (sessions.size >= maxSessions) {
        throw new StoreUnavailable(new Error(`${maxSessions} bridge sessions, the most that are kept`), 'unsent')
      }
      sessions.set(session.sessionId, new EmbeddedBridgeSession(session))
    },
    async info(sessionId) {
      const session = find(sessionId)
      if (session === undefined) return undefined
      return { info: session.info, ...(session.ended === undefined ? {} : { ended: session.ended }) }
    },
    async exchange(request) {
      const { sessionId } = request
      const outcome = find(sessionId)?.exchange(request, now()) ?? { kind: 'missing', isRewound: false }
      if (outcome.kind === 'missing') sessions.delete(sessionId)
      return outcome
    },
    async read(sessionId, answerBytes) {
      const session = find(sessionId)
      return session === undefined || session.ended !== undefined ? undefined : session.state(answerBytes)
    },
    async commit(commit) {
      const { sessionId, instanceId, notify: notification } = commit
      const session = find(sessionId)
      const outcome = session?.commit(commit) ?? 'gone'
      if (outcome === 'done' && notification !== undefined && session?.holder !== instanceId) {
        notify(session?.holder, sessionId, notification)
      }
      return outcome
    },
    takeOver: async (sessionId, from, to) => find(sessionId)?.takeOver(from, to) ?? [],
    async end(sessionId, code, keptMs) {
      const session = find(sessionId)
      if (session === undefined || session.ended !== undefined) return session?.ended
      session.end(code, now() + keptMs)
      notify(session.holder, sessionId, 'ended')
      return code
    },
    async heartbeat() {},
    // The only instance is the one that asks.
    isAlive: async instanceId => listeners.has(instanceId),
    listen(instanceId, listener) {
      listeners.set(instanceId, listener)
      return () => void listeners.delete(instanceId)
    }
  }
}
