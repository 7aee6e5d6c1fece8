import { presenceIntervalMs, subjectOf } from '../session/presence-changes.js'
import type { Position } from '../store/channels.js'

/** Channels whose last message is remembered. Above, all are forgotten: a message may then come early. */
export const maxPacedChannels = 256

/** The last check for changes of a channel. */
interface LastCheck {
  readonly at: number
  readonly top: Position
  /** In the last message about it; undefined: there was none. */
  readonly count: number | undefined
}

/** When a session may get the next message about the presence of a channel, as far as this instance knows. */
export class PresencePacer {
  readonly #now: () => number
  readonly #checks = new Map<string, LastCheck>()

  /** @param now  Unix milliseconds of the steady clock */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Milliseconds to wait; 0 for a channel of clients. @param name  see `presenceChannelOf` */
  waitMs(name: string): number {
    if (subjectOf(name) === undefined) return 0
    const at = this.#checks.get(name)?.at
    return at === undefined ? 0 : Math.max(0, at + presenceIntervalMs - this.#now())
  }

  /** The count that the session knows, if it has followed the changes since: then it is where that check ended. */
  statedCount(name: string, { epoch, offset }: Position): number | undefined {
    const last = this.#checks.get(name)
    return last?.top.epoch === epoch && last.top.offset === offset ? last.count : undefined
  }

  /** @param top  where the changes end that were read. @param count  the one that the session knows now */
  checked(name: string, top: Position, count: number | undefined): void {
    if (this.#checks.size >= maxPacedChannels) this.#checks.clear()
    this.#checks.set(name, { at: this.#now(), top, count })
  }
}
