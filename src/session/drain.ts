import type { Hub } from './hub.js'

/** Sessions are asked to come back within this part of the time, each at its own moment, so that no herd arrives. */
const reconnectShare = 0.5
const lookEveryMs = 50

export interface Drain {
  isDraining(): boolean
  /** Asks every session to move to another instance and waits until all have, or the time is up. */
  run(): Promise<void>
}

/** @param drainMs  how long sessions get to move elsewhere (PROTOCOL §7, `reconnect`); 0: they are not asked */
export function createDrain(hub: Hub, drainMs: number): Drain {
  let draining = false
  return {
    isDraining: () => draining,
    async run() {
      draining = true
      if (drainMs === 0) return
      for (const session of hub.all()) {
        if (!session.welcomed) continue
        session.send({ type: 'reconnect', afterMs: Math.floor(Math.random() * drainMs * reconnectShare) })
      }
      const until = performance.now() + drainMs
      while (hub.size > 0 && performance.now() < until) {
        await new Promise(resolve => setTimeout(resolve, lookEveryMs))
      }
    }
  }
}
