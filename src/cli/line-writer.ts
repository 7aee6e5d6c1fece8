import { rejection } from './client-session.js'
import type { Io } from './command.js'
import { Failure } from './errors.js'
import { write } from './output.js'

/** Bound of waiting lines for a slow reader. */
export const maxWaitingLines = 10_000

/** Prints lines in order, as fast as they are read. */
export class LineWriter {
  readonly #io: Io
  #waiting = 0
  #last: Promise<void> = Promise.resolve()
  #fail: (error: Error) => void = () => {}
  /** Rejects when a line cannot be written. */
  readonly failed: Promise<never> = rejection(reject => {
    this.#fail = reject
  })

  constructor(io: Io) {
    this.#io = io
  }

  print(line: string): void {
    if (this.#waiting >= maxWaitingLines) {
      this.#fail(new Failure(`stdout is read too slowly: ${maxWaitingLines} lines wait`))
      return
    }
    this.#waiting++
    this.#last = this.#last.then(() => write(this.#io.stdout, `${line}\n`))
    this.#last.then(() => this.#waiting--, this.#fail)
  }

  /** Resolves when every line is written. */
  get done(): Promise<void> {
    return this.#last
  }
}
