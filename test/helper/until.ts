import { setTimeout } from 'node:timers/promises'
import { patienceMs } from './wire.js'

/** Pause between two checks: a loop without one would keep the processor from the code it waits for. */
const checkEveryMs = 2

/** Checks repeatedly until a condition holds. @throws if it does not within `withinMs` */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs: number = patienceMs
): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not in time: ${what}`)
    await setTimeout(checkEveryMs)
  }
}
