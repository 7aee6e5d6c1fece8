import { Readable, Writable } from 'node:stream'
import type { Io } from '../../src/cli/command.js'
import { runCommand } from '../../src/cli/run.js'

/** Runs one command line in this process; the test provides everything outside it. */

export interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface RunOptions {
  readonly env?: Record<string, string>
  readonly stdin?: string | Readable
  readonly isTty?: boolean
  readonly signal?: AbortSignal
  readonly fetch?: typeof fetch
  readonly now?: () => number
  /** Called with all of stdout after each write. */
  readonly onOut?: (text: string) => void
  /** The same for stderr. */
  readonly onErr?: (text: string) => void
}

class Collector extends Writable {
  readonly isTTY: boolean
  text = ''
  readonly #onText: (text: string) => void

  constructor(isTTY: boolean, onText: (text: string) => void = () => {}) {
    super()
    this.isTTY = isTTY
    this.#onText = onText
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    this.#onText(this.text)
    done()
  }
}

export async function cli(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const { env = {}, stdin = '', isTty = false, signal = new AbortController().signal } = options
  const stdout = new Collector(isTty, options.onOut)
  const stderr = new Collector(isTty, options.onErr)
  const io: Io = {
    stdin: typeof stdin === 'string' ? Readable.from([Buffer.from(stdin)]) : stdin,
    stdout,
    stderr,
    env,
    fetch: options.fetch ?? fetch,
    now: options.now ?? Date.now,
    signal
  }
  const code = await runCommand(args, io)
  return { code, out: stdout.text, err: stderr.text }
}
