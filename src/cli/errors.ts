/**
 * Failures of a command. Every message is one sentence or a short list, suggests what to do, and never contains a
 * secret.
 */

/** The code of an error of the system, e.g. `ENOENT`. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The command could not do its work: exit code 1. */
export class Failure extends Error {
  override readonly name: string = 'Failure'
}

/** Ctrl-C: exit code 130. */
export class Interrupted extends Failure {
  override readonly name = 'Interrupted'

  /** @param outcome  what was done or undone, as a sentence */
  constructor(outcome?: string) {
    super(outcome === undefined ? 'interrupted' : `interrupted. ${outcome}`)
  }
}

/** A failed change with its outcome, as a sentence without its full stop. */
export function withOutcome(error: unknown, outcome: string): Failure {
  return error instanceof Interrupted ? new Interrupted(outcome) : new Failure(`${messageOf(error)}. ${outcome}`)
}
