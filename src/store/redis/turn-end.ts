type Step = () => void

const sends: Step[] = []
const writes: Step[] = []
let isScheduled = false

function run(): void {
  for (const send of sends.splice(0)) send()
  isScheduled = false
  for (const write of writes.splice(0)) write()
}

function schedule(): void {
  if (isScheduled) return
  isScheduled = true
  setImmediate(run)
}

/** Calls `send` at the end of this turn of the event loop, before its data is written. It must not throw. */
export function sendAtTurnEnd(send: Step): void {
  sends.push(send)
  schedule()
}

/** Calls `write` at the end of this turn of the event loop, after all senders of the turn. It must not throw. */
export function writeAtTurnEnd(write: Step): void {
  writes.push(write)
  schedule()
}
