import { createErrorSerializer, formatError } from '../log/error-serializer.js'
import { Redactor } from '../log/redactor.js'
import type { Io } from './command.js'
import { runCommand } from './run.js'

/** The process of the command `countersign`. */

/** Handles Ctrl-C only after a command asks for the signal: `serve` has its own handler, and other commands just end. */
function interruptSignal(): () => AbortSignal {
  let controller: AbortController | undefined
  return () => {
    if (controller === undefined) {
      const created = new AbortController()
      // Once, so that a second Ctrl-C ends the process immediately.
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => created.abort())
      controller = created
    }
    return controller.signal
  }
}

/**
 * @param args  the words after the program's name
 * @returns the exit code: 0 success, 1 failure, 2 wrong usage, 130 interrupted
 */
export async function main(args: readonly string[]): Promise<number> {
  const signal = interruptSignal()
  // The promise of each write reports a closed reader; without a listener the event would end the process.
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
  try {
    return await runCommand(args, io)
  } catch (error) {
    // Node would print the error with all its members, such as a command of Redis with its arguments.
    process.stderr.write(`countersign: ${formatError(error, createErrorSerializer(new Redactor().redact))}\n`)
    return 1
  }
}
