import type { Hub } from '../session/hub.js'

/** Sessions are asked to come back within this part of the time, each at its own moment, so that no herd arrives. */
const reconnectShare = 0.5
const lookEveryMs = 50

/** Whoever serves peers that have no session here to be asked (the bridge). */
export interface DrainGuest {
  /** The instance stops: whoever waits is answered. */
  begin(): void
  /** Whether nobody comes here any more. */
  isQuiet(): boolean
}

export interface Drain {
  isDraining(): boolean
  invite(guest: DrainGuest): void
  /** Asks every session to move to another instance and waits until all have, or the time is up. */
  run(): Promise<void>
}

/** @param drainMs  how long sessions get to move elsewhere (PROTOCOL §7, `reconnect`); 0: they are not asked */
export function createDrain(hub: Hub, drainMs: number): Drain {
  let draining = false
  const guests: DrainGuest[] = []
  return {
    isDraining: () => draining,
    invite: guest => void guests.push(guest),
    async run() {
      draining = true
      for (const guest of guests) guest.begin()
      if (drainMs === 0) return
      for (const session of hub.all()) {
        if (!session.welcomed) continue
        session.send({ type: 'reconnect', afterMs: Math.floor(Math.random() * drainMs * reconnectShare) })
      }
      const until = performance.now() + drainMs
      while ((hub.size > 0 || !guests.every(guest => guest.isQuiet())) && performance.now() < until) {
        await new Promise(resolve => setTimeout(resolve, lookEveryMs))
      }
    }
  }
}
