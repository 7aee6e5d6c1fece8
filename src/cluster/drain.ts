import type { ConnectedSessions } from '../session/connected-sessions.js'

/** Share of the drain time within which clients reconnect, each at a random moment, to spread the load. */
const reconnectShare = 0.5
/** Time per reconnecting session, in milliseconds: a few sessions need not be spread over the whole share. */
const spreadMsPerSession = 10
const pollMs = 50
/** Interval between checks for other instances, in milliseconds. */
const checkEveryMs = 500

/** A transport that cannot ask its clients to reconnect, since it holds no connections (the bridge). */
export interface DrainParticipant {
  /** Called when the drain begins: answers the requests that are held. */
  begin(): void
  /** Whether clients have stopped coming to this instance. */
  isQuiet(): boolean
}

export interface Drain {
  isDraining(): boolean
  register(participant: DrainParticipant): void
  /**
   * Asks every session to move to another instance. Resolves when all have moved, when no other instance keeps running,
   * or when the time is up.
   */
  run(): Promise<void>
}

/** The other instances on the store. */
export interface OtherInstances {
  /** Announces that this instance stops. */
  announceStop(): Promise<void>
  /** Whether any other instance keeps running. */
  exist(): Promise<boolean>
}

export interface DrainOptions {
  readonly sessions: Pick<ConnectedSessions, 'size' | 'values'>
  readonly others: OtherInstances
  /** Time for sessions to move elsewhere (PROTOCOL §7, `reconnect`); 0: they are not asked to. */
  readonly drainMs: number
}

export function createDrain({ sessions, others, drainMs }: DrainOptions): Drain {
  let isDraining = false
  const participants: DrainParticipant[] = []
  const asked = new WeakSet<object>()

  /** Includes sessions whose handshake was in progress when the drain began. */
  function askToReconnect(): void {
    const spreadMs = Math.min(drainMs * reconnectShare, sessions.size * spreadMsPerSession)
    for (const session of sessions.values()) {
      if (!session.welcomed || asked.has(session)) continue
      asked.add(session)
      session.send({ type: 'reconnect', afterMs: Math.floor(Math.random() * spreadMs) })
    }
  }

  function isDone(): boolean {
    return sessions.size === 0 && participants.every(participant => participant.isQuiet())
  }

  /** If the store does not answer, assume that there are other instances. */
  async function othersExist(): Promise<boolean> {
    return others.exist().catch(() => true)
  }

  async function moveSessions(until: number): Promise<void> {
    let checkedAt = performance.now()
    while (!isDone() && performance.now() < until) {
      askToReconnect()
      await new Promise(resolve => setTimeout(resolve, pollMs))
      if (performance.now() - checkedAt < checkEveryMs) continue
      checkedAt = performance.now()
      // All instances may have been stopped together.
      if (!(await othersExist())) return
    }
  }

  return {
    isDraining: () => isDraining,
    register: participant => void participants.push(participant),
    async run() {
      const until = performance.now() + drainMs
      isDraining = true
      if (drainMs > 0) await others.announceStop().catch(() => {})
      for (const participant of participants) participant.begin()
      if (drainMs > 0 && (await othersExist())) await moveSessions(until)
    }
  }
}
