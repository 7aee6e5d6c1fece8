import { StoreUnavailable } from '../errors.js'
import type { DiskReserve } from './disk-reserve.js'
import { describe, WriteFailure } from './lmdb-commit.js'

/**
 * Minimum interval between ordinary writes that reach the disk after a failure: each failed one makes LMDB write to
 * stderr.
 */
const retryEveryMs = 1000

export interface WriteGuardOptions {
  readonly reserve: DiskReserve
  /** Milliseconds of a clock that never jumps. */
  readonly monotonicNow: () => number
  /** Called when writes begin to fail, with the reason, and with undefined when they work again. */
  readonly onChange: (failure: Error | undefined) => void
}

/**
 * Passes writes on to the disk. After a failure, such as a full disk, ordinary writes are refused until one succeeds
 * again and the disk has space for the reserve. Protective ones are always tried, if necessary with the space of the
 * reserve.
 */
export class WriteGuard {
  readonly #options: WriteGuardOptions
  #failure: { readonly error: WriteFailure; readonly at: number } | undefined

  constructor(options: WriteGuardOptions) {
    this.#options = options
    try {
      options.reserve.hold()
    } catch (error) {
      this.#fail(describe(error))
    }
  }

  get isFailing(): boolean {
    return this.#failure !== undefined
  }

  /** @throws StoreUnavailable */
  async run<T>(write: () => Promise<T>, isProtective = false): Promise<T> {
    if (isProtective) return this.#runProtective(write)
    this.#prepare()
    const result = await this.#attempt(write)
    this.#succeed()
    return result
  }

  async #runProtective<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await this.#attempt(write)
    } catch (error) {
      const isCertain = error instanceof StoreUnavailable && error.outcome === 'unsent'
      if (!isCertain || !this.#options.reserve.release()) throw error
      return this.#attempt(write)
    }
  }

  async #attempt<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write()
    } catch (error) {
      const failure = error instanceof WriteFailure ? error : describe(error)
      this.#fail(failure)
      throw new StoreUnavailable(failure, failure.outcome)
    }
  }

  /** Requires, while writes fail, that another attempt is due and that the disk has space. @throws StoreUnavailable */
  #prepare(): void {
    if (this.#failure === undefined) return
    const { reserve, monotonicNow } = this.#options
    const { error, at } = this.#failure
    if (monotonicNow() - at < retryEveryMs) throw new StoreUnavailable(error, 'unsent')
    try {
      // A small write may succeed on a full disk, in pages freed by the database: it does not prove that there is
      // space.
      if (!reserve.hasSpace) throw error
      reserve.hold()
    } catch (cause) {
      const failure = cause instanceof WriteFailure ? cause : describe(cause)
      this.#fail(failure)
      throw new StoreUnavailable(failure, 'unsent')
    }
  }

  #fail(error: WriteFailure): void {
    const isNew = this.#failure === undefined
    this.#failure = { error, at: this.#options.monotonicNow() }
    if (isNew) this.#options.onChange(error)
  }

  #succeed(): void {
    if (this.#failure === undefined) return
    this.#failure = undefined
    this.#options.onChange(undefined)
  }
}
