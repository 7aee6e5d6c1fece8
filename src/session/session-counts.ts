import type { SessionCounts } from '../store/store.js'

/** Counts what a session sends, for operators who look for a flood. Nothing is allocated until the counts are written. */
export class SessionCounter {
  #frames = 0
  #bytes = 0
  #refused = 0

  /** @param frames  more than one where an exchange of the bridge carries several */
  received(bytes: number, frames = 1): void {
    this.#frames += frames
    this.#bytes += bytes
  }

  refused(): void {
    this.#refused++
  }

  /** Whether {@link consume} has something to return. */
  get isPending(): boolean {
    return this.#frames > 0 || this.#refused > 0
  }

  /** What was counted since the last call; undefined if nothing was. */
  consume(): SessionCounts | undefined {
    if (!this.isPending) return undefined
    const counts = { frames: this.#frames, bytes: this.#bytes, refused: this.#refused }
    this.#frames = 0
    this.#bytes = 0
    this.#refused = 0
    return counts
  }

  /** Returns counts that could not be written, for the next write. */
  putBack({ frames, bytes, refused }: SessionCounts): void {
    this.#frames += frames
    this.#bytes += bytes
    this.#refused += refused
  }
}
