import type { Io } from './command.js'
import { runCommand } from './run.js'

/** The command `countersign`, as a process. */

/** Ctrl-C is ours only once a command asks for it: `serve` has its own, and the others just end. */
function interruption(): () => AbortSignal {
  let controller: AbortController | undefined
  return () => {
    if (controller === undefined) {
      const made = new AbortController()
      // Once: a second Ctrl-C ends the process at once.
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => made.abort())
      controller = made
    }
    return controller.signal
  }
}

/**
 * @param args  what follows the program's name
 * @returns the exit code: 0 good, 1 could not, 2 not understood, 130 interrupted
 */
export async function main(args: readonly string[]): Promise<number> {
  const signal = interruption()
  // A reader that goes away is told by the write itself.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const io: Io = {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    fetch,
    now: Date.now,
    get signal() {
      return signal()
    }
  }
  return runCommand(args, io)
}
