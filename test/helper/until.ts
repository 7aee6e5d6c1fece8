import { setTimeout } from 'node:timers/promises'
import { patienceMs } from './wire.js'

/** Between two looks, in milliseconds: a loop without a pause would take the processor from what it waits for. */
const lookEveryMs = 2

/** Looks again and again until something holds; fails where it does not in time. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + patienceMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not in time: ${what}`)
    await setTimeout(lookEveryMs)
  }
}
