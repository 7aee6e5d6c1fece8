import type { ConnectedSessions } from '../session/connected-sessions.js'

/** Part of the drain time within which clients reconnect, each at a random moment, so that they do not come all at once. */
const reconnectShare = 0.5
const pollMs = 50

/** A transport whose clients cannot be asked to reconnect, since no connection leads to them (the bridge). */
export interface DrainParticipant {
  /** Called when the drain begins: answers the requests that are held. */
  begin(): void
  /** Whether clients no longer come to this instance. */
  isQuiet(): boolean
}

export interface Drain {
  isDraining(): boolean
  register(participant: DrainParticipant): void
  /** Asks every session to move to another instance. Resolves when all have moved, or when the time is up. */
  run(): Promise<void>
}

/** @param drainMs  how long sessions get to move elsewhere (PROTOCOL §7, `reconnect`); 0: they are not asked */
export function createDrain(sessions: Pick<ConnectedSessions, 'size' | 'values'>, drainMs: number): Drain {
  let isDraining = false
  const participants: DrainParticipant[] = []

  function askToReconnect(): void {
    for (const session of sessions.values()) {
      if (!session.welcomed) continue
      session.send({ type: 'reconnect', afterMs: Math.floor(Math.random() * drainMs * reconnectShare) })
    }
  }

  function isDone(): boolean {
    return sessions.size === 0 && participants.every(participant => participant.isQuiet())
  }

  return {
    isDraining: () => isDraining,
    register: participant => void participants.push(participant),
    async run() {
      isDraining = true
      for (const participant of participants) participant.begin()
      if (drainMs === 0) return
      askToReconnect()
      const until = performance.now() + drainMs
      while (!isDone() && performance.now() < until) await new Promise(resolve => setTimeout(resolve, pollMs))
    }
  }
}
