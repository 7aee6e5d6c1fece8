import type { SessionCounts } from '../store/store.js'

/**
 * Counts a session's traffic, for operators who search for a flood. Nothing is allocated until the counts are written.
 */
export class SessionCounter {
  #frames = 0
  #bytes = 0
  #refused = 0

  /** @param frames  more than one if an exchange of the bridge has several */
  received(bytes: number, frames = 1): void {
    this.#frames += frames
    this.#bytes += bytes
  }

  refused(): void {
    this.#refused++
  }

  /** Whether {@link consume} would return counts. */
  get isPending(): boolean {
    return this.#frames > 0 || this.#refused > 0
  }

  /** Returns the counts since the last call; undefined if there are none. */
  consume(): SessionCounts | undefined {
    if (!this.isPending) return undefined
    const counts = { frames: this.#frames, bytes: this.#bytes, refused: this.#refused }
    this.#frames = 0
    this.#bytes = 0
    this.#refused = 0
    return counts
  }

  /** Adds back counts that could not be written, for the next write. */
  putBack({ frames, bytes, refused }: SessionCounts): void {
    this.#frames += frames
    this.#bytes += bytes
    this.#refused += refused
  }
}
