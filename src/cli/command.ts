import type { Gateway } from './gateway.js'
import type { Values } from './values.js'

/** What a command is made of. The table of all of them (table.ts) drives parsing, help, completion and docs/cli.md. */

interface FlagBase {
  readonly name: string
  readonly summary: string
  /** The member of the request's body that it fills; absent: it fills none. */
  readonly member?: string
  readonly required?: true
}

export type Flag = FlagBase &
  (
    | { readonly kind: 'switch' }
    | { readonly kind: 'text'; readonly value: string; readonly choices?: readonly string[] }
    /** `orNone`: the word `none` stands for null, which takes a bound or date away. */
    | {
        readonly kind: 'integer'
        readonly value: string
        readonly min: number
        readonly max: number
        readonly orNone?: true
      }
    /** Seconds, or a number with s, m, h or d behind it. */
    | { readonly kind: 'seconds'; readonly value: string; readonly min: number; readonly max: number }
    | { readonly kind: 'time'; readonly value: string; readonly orNone?: true }
    /** Separated by commas, or given several times. */
    | { readonly kind: 'list'; readonly value: string; readonly choices?: readonly string[] }
    /** `name=value`, several times. */
    | { readonly kind: 'pairs'; readonly value: string }
  )

export interface Argument {
  readonly name: string
  readonly summary: string
  readonly optional?: true
  /** Only the last one: takes all that follows. */
  readonly several?: true
}

export interface Command {
  /** e.g. `['clients', 'create']`, or `['doctor']`. */
  readonly path: readonly [string] | readonly [string, string]
  readonly summary: string
  /** More for help, in whole sentences. */
  readonly details?: string
  readonly args: readonly Argument[]
  readonly flags: readonly Flag[]
  readonly examples: readonly string[]
  /** Its arguments are handed over as they are: it has a parser of its own. */
  readonly raw?: true
  /** @returns the exit code; nothing: 0 */
  run(context: Context): Promise<number | undefined>
}

export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number }
export type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean }

/** Everything outside that a command touches, so that a test can put its own in the place. */
export interface Io {
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly fetch: typeof fetch
  /** Unix milliseconds. */
  readonly now: () => number
  /** Aborted by Ctrl-C. Who reads it takes care of Ctrl-C from then on. */
  readonly signal: AbortSignal
}

export interface Context {
  readonly io: Io
  readonly values: Values
  /** What follows the command's name, as it was given. */
  readonly raw: readonly string[]
  /** The running gateway, reached over HTTP. Nothing is looked up before the first call. */
  readonly gateway: Gateway
}

/** The command line is not understood: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** It could not be done: exit code 1. The message is one line that says what to do next, and never holds a secret. */
export class Failure extends Error {
  override readonly name: string = 'Failure'
}

/** Ctrl-C: exit code 130. */
export class Interrupted extends Failure {
  override readonly name = 'Interrupted'

  /** @param outcome  what became of it, as a sentence */
  constructor(outcome?: string) {
    super(outcome === undefined ? 'interrupted' : `interrupted. ${outcome}`)
  }
}
