import { setImmediate } from 'node:timers/promises'
import { patienceMs } from './wire.js'

/** Lets the event loop turn until something holds; fails where it does not in time. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + patienceMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not in time: ${what}`)
    await setImmediate()
  }
}
