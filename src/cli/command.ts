import type { Option } from 'commander'
import type { Sources } from '../config/sources.js'
import type { Gateway } from './gateway.js'

/** The specification of a command. program.ts turns each into a command of commander; help and completion follow. */
export interface CommandSpec {
  /** Its names and arguments, as commander writes them: `clients create [clientId]`. */
  readonly usage: string
  readonly summary: string
  /** Further sentences for its help. */
  readonly details?: string
  /** Descriptions of the arguments, by name. */
  readonly args?: Readonly<Record<string, string>>
  readonly options?: readonly Option[]
  /** Every setting of the gateway is an option as well, and a wrong option is a wrong setting: exit code 1, not 2. */
  readonly takesSettings?: true
  readonly examples: readonly string[]
  /** @returns the exit code; undefined means 0 */
  run(invocation: Invocation): Promise<number | undefined>
}

/** Checked values of options by their names in camelCase. A parser in options.ts determines each type. */
export interface OptionValues {
  readonly url?: string
  readonly token?: string
  readonly dataDir?: string
  readonly json?: true
  readonly limit?: number
  readonly last?: number
  readonly toClient?: string
  readonly toSession?: string
  readonly timeoutMs?: number
  readonly count?: number
  readonly after?: string
  readonly all?: true
  readonly client?: string
  readonly save?: string
  readonly credential?: string
  readonly key?: string
  readonly format?: string
  readonly check?: true
  readonly out?: string
  readonly anchor?: string
  readonly [name: string]: unknown
}

/** One run of a command. */
export interface Invocation {
  readonly io: Io
  /** Arguments by name; omitted ones are absent. */
  readonly args: Readonly<Record<string, string>>
  /** The values of a last argument that may be repeated (`<sessionId...>`). */
  readonly repeated: readonly string[]
  readonly options: OptionValues
  /** Sources of settings; `.env` is read on first use. */
  readonly settings: () => Sources
  /** The running gateway, reached over HTTP. Its address and token are looked up on the first call. */
  readonly gateway: Gateway
}

export type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number }
export type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean }

/** Everything outside the process that a command uses, so that tests can replace it. */
export interface Io {
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly fetch: typeof fetch
  /** Unix milliseconds. */
  readonly now: () => number
  /** Aborted by Ctrl-C. Once it was read, Ctrl-C no longer ends the process: the command must end by itself. */
  readonly signal: AbortSignal
}
